"""The training steps of a stack: every run's gradients, clipped alone, and its update.

On a CPU the runs are independent tasks of a pool of threads, one core each: a run's products have
the shapes they have alone, so its bits depend neither on its neighbours nor on the number of
threads, and its update comes while its gradient is still in the core's cache. A GPU takes all runs
as batched products, because there launches decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils import get_total_norm

from study.data.module import StackBatch, WholeBatch
from study.nn.adam import Adam
from study.nn.gradients import METHODS
from study.nn.mlp import StackedMLP, aligned_stack
from study.nn.optimizers import make_optimizer, restore, saved
from study.run import Run

T = TypeVar("T")


def cores() -> int:
    """Return how many cores to train on: as many as torch would use for one product."""
    return torch.get_num_threads()


def one_core_threads(number: int) -> ThreadPoolExecutor:
    """Return a pool whose threads each compute on one core."""
    return ThreadPoolExecutor(number, "run", initializer=torch.set_num_threads, initargs=(1,))


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
        network.align()
        self.whole = network.rows(slice(None))
        self.rows = [network.rows(slot) for slot in range(network.runs)]
        self.gradients = [
            aligned_stack(network.runs, tensor.shape[1:], tensor) for tensor in self.whole
        ]
        self.gradient_rows = [
            [gradient[slot] for gradient in self.gradients] for slot in range(network.runs)
        ]
        self.optimizer = make_optimizer([run.optimizer for run in runs], self.rows)
        self.updates = isinstance(self.optimizer, Adam)
        model = self.runs[0].model
        self.method = METHODS[model.gradients]
        self.how = {"activation": model.activation, "loss": model.loss, "backward": model.backward}
        self.pool = None if self.batched else one_core_threads(min(network.runs, cores()))

    def load(self, slot: int, run: Run, state: Mapping[str, Tensor] | None = None) -> None:
        """Put a run into a slot: its saved state, or the weights its seed gives."""
        if state is None:
            self.network.initialize(slot, run.seed)
        restore(self.optimizer, slot, run.optimizer, state)
        self.runs[slot] = run

    def save(self, slot: int) -> dict[str, Tensor]:
        """Return copies of all tensors that a slot's run needs to go on."""
        return saved(self.optimizer, slot)

    def steps(
        self, batch: StackBatch | WholeBatch, training: Sequence[int]
    ) -> Float[Tensor, " run"]:
        """Take a batch's steps for the slots in ``training``; return each slot's summed loss.

        With this package's Adam the weights are updated here; any other optimizer finds the
        gradients of a batch's only step and is to be stepped afterwards.
        """
        losses = self.whole[0].new_zeros(self.network.runs, dtype=torch.float64)
        if self.batched:
            for images, labels in batch.of_all():
                losses += self._all(images, labels, training)
        else:
            found = self.each(lambda slot: self._one(slot, batch.of(slot)), training)
            losses[list(training)] = torch.tensor(found, dtype=torch.float64)
        if not self.updates:
            present = set(training)
            for slot, rows in enumerate(self.rows):
                for row, gradient in zip(rows, self.gradient_rows[slot], strict=True):
                    row.grad = gradient if slot in present else None
        return losses

    def each(self, task: Callable[[int], T], slots: Sequence[int]) -> list[T]:
        """Do a task for each slot, on a CPU side by side, and return what they return."""
        if self.pool is None:
            return [task(slot) for slot in slots]
        mixed = torch.is_autocast_enabled("cpu")
        narrow = torch.get_autocast_dtype("cpu")

        def isolated(slot: int) -> T:
            # Both are settings of a thread, and the pool's threads know nothing of the caller's.
            with torch.no_grad(), torch.autocast("cpu", narrow, enabled=mixed):
                return task(slot)

        return list(self.pool.map(isolated, slots))

    def _one(self, slot: int, steps: Iterable[tuple[Tensor, Tensor]]) -> float:
        rows, out = self.rows[slot], self.gradient_rows[slot]
        total = 0.0
        for images, labels in steps:
            images = images.to(rows[0].dtype)
            total += float(self.method(rows, images, labels, out, **self.how))
            self._finish(slot)
        return total

    @torch.no_grad()
    def _all(self, images: Tensor, labels: Tensor, training: Sequence[int]) -> Tensor:
        images = images.to(self.whole[0].dtype)
        losses = self.method(self.whole, images, labels, self.gradients, **self.how)
        for slot in training:
            self._finish(slot)
        return losses

    def _finish(self, slot: int) -> None:
        """Clip a slot's gradients and, where the optimizer can, update its weights at once."""
        trainer, gradients = self.runs[slot].trainer, self.gradient_rows[slot]
        if trainer.gradient_clip_val is not None:
            clip(gradients, trainer.gradient_clip_val, trainer.gradient_clip_algorithm)
        if isinstance(self.optimizer, Adam):
            self.optimizer.update(self.optimizer.param_groups[slot], gradients)


def clip(gradients: list[Tensor], bound: float, algorithm: str) -> None:
    """Bound one run's gradients in place: their common norm, or each element."""
    if algorithm == "value":
        torch._foreach_clamp_min_(gradients, -bound)
        torch._foreach_clamp_max_(gradients, bound)
        return
    norm = get_total_norm(gradients)
    torch._foreach_mul_(gradients, (bound / (norm + 1e-6)).clamp(max=1.0))


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
            batch = WholeBatch(images[step][slots].to(device), labels[step][slots].to(device))
            engine.steps(batch, range(len(slots)))
            engine.optimizer.step()
        results.append(engine.save(slots.index(1)))
    alone, stacked = results
    if all(torch.equal(alone[k].nan_to_num(), stacked[k].nan_to_num()) for k in alone):
        return 0.0
    scale = max(float(tensor.abs().max()) for tensor in alone.values())
    return max(float((alone[name] - stacked[name]).abs().max()) for name in alone) / scale
