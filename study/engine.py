"""One training step of a stack: gradients of every run, each clipped alone, and one optimizer.

A CPU takes the runs one after another: one run's matrices fit its cache, and a run's products have
the shapes they have alone, so its bits do not depend on its neighbours. A GPU takes all runs as
batched products, because there launches decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from study.nn.gradients import METHODS
from study.nn.mlp import StackedMLP, aligned_stack
from study.nn.optimizers import make_optimizer, restore, saved
from study.run import Run


class Engine:
    """Trains the networks of a stack.

    Parameters
    ----------
    network
        The networks, on the device they are trained on.
    runs
        The run in each slot; they share a program.
    batched
        Take all runs at once; by default on anything but a CPU.
    """

    def __init__(
        self, network: StackedMLP, runs: Sequence[Run], *, batched: bool | None = None
    ) -> None:
        self.network, self.runs = network, list(runs)
        device = network.weights[0].device
        self.batched = device.type != "cpu" if batched is None else batched
        self.whole = network.rows(slice(None))
        self.rows = [network.rows(slot) for slot in range(network.runs)]
        self.gradients = [
            aligned_stack(network.runs, tensor.shape[1:], tensor) for tensor in self.whole
        ]
        self.gradient_rows = [
            [gradient[slot] for gradient in self.gradients] for slot in range(network.runs)
        ]
        self.optimizer = make_optimizer([run.optimizer for run in runs], self.rows)

    def load(self, slot: int, run: Run, state: Mapping[str, Tensor] | None = None) -> None:
        """Put a run into a slot: its saved state, or the weights its seed gives."""
        if state is None:
            self.network.initialize(slot, run.seed)
        restore(self.optimizer, slot, run.optimizer, state)
        self.runs[slot] = run

    def save(self, slot: int) -> dict[str, Tensor]:
        """Return copies of all tensors that a slot's run needs to go on."""
        return saved(self.optimizer, slot)

    @torch.no_grad()
    def backward(
        self,
        images: Float[Tensor, "run batch feature"],
        labels: Int[Tensor, "run batch"],
        training: Sequence[int],
    ) -> Float[Tensor, " run"]:
        """Set the gradients of the slots in ``training``, clear the others', return the losses."""
        model = self.runs[0].model
        method = METHODS[model.gradients]
        how = {"activation": model.activation, "loss": model.loss, "backward": model.backward}
        if self.batched:
            losses = method(self.whole, images, labels, self.gradients, **how)
        else:
            losses = self.whole[0].new_zeros(self.network.runs)
            for slot in training:
                out = self.gradient_rows[slot]
                losses[slot] = method(self.rows[slot], images[slot], labels[slot], out, **how)
        present = set(training)
        for slot, rows in enumerate(self.rows):
            for row, gradient in zip(rows, self.gradient_rows[slot], strict=True):
                row.grad = gradient if slot in present else None
            if slot in present:
                self._clip(slot)
        return losses

    def _clip(self, slot: int) -> None:
        trainer = self.runs[slot].trainer
        if trainer.gradient_clip_val is None:
            return
        clip = clip_grad_norm_ if trainer.gradient_clip_algorithm == "norm" else clip_grad_value_
        clip(self.rows[slot], trainer.gradient_clip_val)


def neighbours_felt(run: Run, batched: bool | None = None, device: str = "cpu") -> float:
    """Measure how much a run's weights depend on its stack: 0.0 when not by a bit.

    The run takes three steps on random images, alone and between two others; the largest relative
    difference of any weight is returned.
    """
    generator = torch.Generator().manual_seed(0)
    dtype = torch.float64 if run.trainer.precision == "64-true" else torch.float32
    images = torch.rand(3, 3, run.data.batch_size, run.widths[0], generator=generator, dtype=dtype)
    labels = torch.randint(run.widths[-1], (3, 3, run.data.batch_size), generator=generator)
    results = []
    for slots in ([1], [0, 1, 2]):
        network = StackedMLP(len(slots), run.widths, run.model.activation).to(device, dtype)
        engine = Engine(network, [run] * len(slots), batched=batched)
        for slot, seed in enumerate(slots):
            network.initialize(slot, seed)
        for step in range(3):
            chosen = images[step][slots].to(device), labels[step][slots].to(device)
            engine.backward(*chosen, list(range(len(slots))))
            engine.optimizer.step()
        results.append(engine.save(slots.index(1)))
    alone, stacked = results
    scale = max(float(tensor.abs().max()) for tensor in alone.values())
    return max(float((alone[name] - stacked[name]).abs().max()) for name in alone) / scale
