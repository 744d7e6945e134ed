"""Whether the batched engine and its CUDA graph are right on a device: numbers that tests bound.

The reference is a loop over one network in float64 on the CPU: autograd, and torch's own Adam.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from study.nn.mlp import StackedMLP
from study.records.environment import environment
from study.runs.events import Machine
from study.runs.run import Run
from study.training.engine import BatchedEngine, Engine, make_engine
from study.training.stack_batch import StackBatch

FACTS = {"data.dataset": "digits", "data.batch_size": 10, "model.hidden": [16]}
RUNS, STEPS = 3, 50
EXACT = {"float32": "32-true", "float64": "64-true"}  # Lightning's words

Batches = Sequence[tuple[Tensor, Tensor]]


def run_of(seed: int, precision: str) -> Run:
    """Return a small run."""
    return Run.of({**FACTS, "seed": seed, "trainer.precision": EXACT[precision]})


def batches(steps: int = STEPS) -> Batches:
    """Return each step's images [run, batch, feature] and labels, the same on every machine."""
    generator = torch.Generator().manual_seed(0)
    run = run_of(0, "float64")
    shape = (RUNS, run.data.batch_size)
    return [
        (
            torch.rand(*shape, run.widths[0], generator=generator, dtype=torch.float64),
            torch.randint(run.widths[-1], shape, generator=generator),
        )
        for _ in range(steps)
    ]


def engine(device: str, precision: str, *, recorded: bool = True) -> BatchedEngine:
    """Return a batched engine with its runs' first weights; it records steps where it can."""
    runs = [run_of(seed, precision) for seed in range(RUNS)]
    network = StackedMLP(RUNS, runs[0].widths).to(device, getattr(torch, precision))
    made = make_engine(network, runs, batched=True)
    if not isinstance(made, BatchedEngine):
        raise TypeError("expected a batched engine")
    if not recorded:
        made._step = made._take  # type: ignore[method-assign]  # the step as it is, every time
    for slot, run in enumerate(runs):
        made.load(slot, run)
    return made


def train(made: Engine, steps: Batches, slots: Sequence[int] = range(RUNS)) -> list[Tensor]:
    """Take steps, and return all weights on the CPU in float64."""
    device = made.whole[0].device
    for number, (images, labels) in enumerate(steps):
        made.steps(StackBatch.of_tensors(images.to(device), labels.to(device), number), slots)
    return [tensor.detach().cpu().double() for tensor in made.whole]


def reference() -> list[Tensor]:
    """Return the weights that a plain loop in float64 on the CPU gives each run."""
    run = run_of(0, "float64")
    stacked = StackedMLP(RUNS, run.widths).double()
    rows = []
    for slot in range(RUNS):
        stacked.initialize(slot, slot)
        model = stacked.network(slot)
        adam = torch.optim.Adam(model.parameters(), lr=run.optimizer.init_args.get("lr", 1e-3))
        for images, labels in batches():
            adam.zero_grad()
            nn.functional.cross_entropy(model(images[slot]), labels[slot]).backward()  # type: ignore[no-untyped-call]
            adam.step()
        rows.append([parameter.detach() for parameter in model.parameters()])
    return [torch.stack(parts) for parts in zip(*rows, strict=True)]


def apart(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    """Return the largest difference of a weight, relative to the largest weight."""
    scale = max(float(tensor.abs().max()) for tensor in a)
    return max(float((x - y).abs().max()) for x, y in zip(a, b, strict=True)) / scale


def from_the_reference(device: str, precision: str) -> float:
    """Return how far the engine's weights are from the plain loop's after `STEPS` steps."""
    return apart(reference(), train(engine(device, precision), batches()))


def from_unrecorded_steps(device: str, precision: str) -> tuple[float, bool]:
    """Return how far recorded steps are from ordinary ones, and whether any was recorded.

    A run leaves on the way, one is loaded again, and a batch is smaller: each needs a new record
    or none.
    """
    found, recorded = [], False
    for records in (True, False):
        made, steps = engine(device, precision, recorded=records), batches()
        train(made, steps[:10])
        train(made, [(images[:, :4], labels[:, :4]) for images, labels in steps[10:11]])
        recorded |= any(getattr(each, "replay", None) for each in made._recorded.values())
        train(made, steps[11:20], [0, 2])
        made.load(1, run_of(7, precision))
        found.append(train(made, steps[20:]))
    return apart(*found), recorded


def from_going_on(device: str, precision: str) -> float:
    """Return how far runs that were saved and loaded are from runs that were not interrupted."""
    whole = train(engine(device, precision), batches())
    first, second = engine(device, precision), engine(device, precision)
    train(first, batches()[: STEPS // 2])
    for slot in range(RUNS):
        state = {name: tensor.cpu() for name, tensor in first.save(slot).items()}
        second.load(slot, run_of(slot, precision), state)
    return apart(whole, train(second, batches()[STEPS // 2 :]))


def where(device: str) -> dict[str, Any]:
    """Return the card, and the versions and code that decide what it does."""
    facts = environment(Machine(device, "32-true", {}, 0.0))
    for name in ("routes", "stacking", "tolerance", "precision"):
        del facts[name]
    if device == "cuda":
        card = torch.cuda.get_device_properties(device)
        facts |= {"memory": card.total_memory, "capability": f"{card.major}.{card.minor}"}
        facts |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}  # type: ignore[no-untyped-call]
    return facts
