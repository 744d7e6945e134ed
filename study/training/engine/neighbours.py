"""Whether a run's bits depend on its neighbours in a stack, measured."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from study.nn.mlp import StackedMLP
from study.runs.run import Run
from study.training.engine import make_engine
from study.training.stack_batch import StackBatch


def neighbours_felt(
    run: Run,
    batched: bool | None = None,
    device: str = "cpu",
    routes: Mapping[str, str] | None = None,
    runs: int = 3,
) -> float:
    """Measure how much a run's weights depend on its stack: 0.0 when not by a bit.

    The run takes three steps on random images, alone and among others, which are alike but for
    their weights and images; the largest relative difference of any weight is returned.

    Parameters
    ----------
    run, device
        The run, and where it is trained.
    batched, routes
        As of `make_engine`.
    runs
        How many there are in the stack: batched products may round otherwise in another number.
    """
    generator = torch.Generator().manual_seed(0)
    dtype = torch.float64 if run.trainer.precision == "64-true" else torch.float32
    shape = (3, runs, run.data.batch_size)
    images = torch.rand(*shape, run.widths[0], generator=generator, dtype=dtype)
    labels = torch.randint(run.widths[-1], shape, generator=generator)
    results = []
    for slots in ([1], list(range(runs))):
        network = StackedMLP(len(slots), run.widths, run.model.activation).to(device, dtype)
        engine = make_engine(network, [run] * len(slots), batched=batched, routes=routes)
        for slot, seed in enumerate(slots):
            network.initialize(slot, seed, run.model.init_scale)
        for step in range(3):
            x, y = (each[step][slots].to(device) for each in (images, labels))
            batch = StackBatch.of_tensors(x, y, step)
            engine.steps(batch, range(len(slots)))
        results.append(engine.save(slots.index(1)))
    alone, stacked = results
    if all(torch.equal(alone[k].nan_to_num(), stacked[k].nan_to_num()) for k in alone):
        return 0.0
    scale = max(float(tensor.abs().max()) for tensor in alone.values())
    return max(float((alone[name] - stacked[name]).abs().max()) for name in alone) / scale
