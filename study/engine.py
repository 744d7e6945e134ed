"""The training steps of a stack: every run's gradients, clipped alone, and its update.

On a CPU the runs are independent tasks of a pool of threads, one core each: a run's products have
the shapes they have alone, so its bits depend neither on its neighbours nor on the number of
threads, and its update comes while its gradient is still in the core's cache. A GPU takes all runs
as batched products, because there launches decide.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils import get_total_norm

from study.data.module import StackBatch, WholeBatch
from study.nn import products
from study.nn.adam import Adam
from study.nn.gradients import METHODS
from study.nn.losses import chosen_probabilities
from study.nn.mlp import ACTIVATIONS, StackedMLP, aligned_stack
from study.nn.optimizers import make_optimizer, restore, saved
from study.run import Run

T = TypeVar("T")

STEPS_IN_CACHE = 20  # of one run, before its core turns to another's weights


@dataclass(frozen=True)
class Running:
    """Each slot's sums over examples as it saw them while training."""

    cross_entropy: Float[Tensor, " run"]
    right: Float[Tensor, " run"]
    examples: Float[Tensor, " run"]

    def __add__(self, other: Running) -> Running:
        """Add two batches' sums."""
        return Running(
            self.cross_entropy + other.cross_entropy,
            self.right + other.right,
            self.examples + other.examples,
        )

    @classmethod
    def zeros(cls, runs: int, device: torch.device) -> Running:
        """Return sums over nothing."""
        return cls(*torch.zeros(3, runs, dtype=torch.float64, device=device))


def cores() -> int:
    """Return how many cores to train on: as many as torch would use for one product."""
    return torch.get_num_threads()


def one_core_threads(number: int) -> ThreadPoolExecutor:
    """Return a pool whose threads each compute on one core."""
    return ThreadPoolExecutor(number, "run", initializer=torch.set_num_threads, initargs=(1,))


def chosen_routes(run: Run, choice: str = "auto") -> dict[str, str]:
    """Return how a run's large products are computed on this machine's CPU.

    Parameters
    ----------
    run
        Any run of the program.
    choice
        ``auto``, the fastest by measurement, or a route of `study.nn.products` for them all.
    """
    if run.trainer.precision != "32-true":
        return {}
    purposes = ("evaluation",) if run.model.gradients == "autograd" else products.PURPOSES
    return products.fastest_routes(run.widths, run.data.batch_size, choice, purposes)


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
    routes
        How large products are computed on a CPU, as `chosen_routes` gives it; by default all by
        torch's BLAS.
    """

    def __init__(
        self,
        network: StackedMLP,
        runs: Sequence[Run],
        *,
        batched: bool | None = None,
        routes: Mapping[str, str] | None = None,
    ) -> None:
        self.network, self.runs = network, list(runs)
        device = network.weights[0].device
        self.batched = device.type != "cpu" if batched is None else batched
        self.routes = {} if self.batched or routes is None else dict(routes)
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
        run = self.runs[0]
        self.layers = products.layers(network.widths, run.data.batch_size, self.routes)
        self.methods = [
            METHODS[run.model.gradients](
                self.layers,
                activation=run.model.activation,
                loss=run.model.loss,
                backward=run.model.backward,
            )
            for _ in range(1 if self.batched else network.runs)
        ]
        self.workers = 1 if self.batched else min(network.runs, cores())
        self.pool = None if self.batched else one_core_threads(self.workers)

    def load(self, slot: int, run: Run, state: Mapping[str, Tensor] | None = None) -> None:
        """Put a run into a slot: its saved state, or the weights its seed gives."""
        if state is None:
            self.network.initialize(slot, run.seed)
        restore(self.optimizer, slot, run.optimizer, state)
        self.runs[slot] = run

    def save(self, slot: int) -> dict[str, Tensor]:
        """Return copies of all tensors that a slot's run needs to go on."""
        return saved(self.optimizer, slot)

    def steps(self, batch: StackBatch | WholeBatch, training: Sequence[int]) -> Running:
        """Take a batch's steps for the slots in ``training``; return the sums over its examples.

        With this package's Adam the weights are updated here; any other optimizer finds the
        gradients of a batch's only step and is to be stepped afterwards.
        """
        running = Running.zeros(self.network.runs, self.whole[0].device)
        if self.batched:
            for images, labels in batch.of_all():
                running += self._all(images, labels, training)
        else:
            self._side_by_side({slot: batch.of(slot) for slot in training}, running)
        if not self.updates:
            present = set(training)
            for slot, rows in enumerate(self.rows):
                for row, gradient in zip(rows, self.gradient_rows[slot], strict=True):
                    row.grad = gradient if slot in present else None
        return running

    def _side_by_side(
        self, steps: Mapping[int, Iterator[tuple[Tensor, Tensor]]], running: Running
    ) -> None:
        """Let every worker take the run that has waited longest for a few steps, until none waits.

        A run is with one worker at a time, so it makes no difference which.
        """
        waiting = deque(steps)

        def work(_: int) -> None:
            while waiting:
                try:
                    slot = waiting.popleft()
                except IndexError:  # another worker was faster
                    return
                if self._some(slot, steps[slot], running):
                    waiting.append(slot)

        self.each(work, range(self.workers))

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

    def logits(
        self, slot: int, images: Float[Tensor, "batch feature"]
    ) -> Float[Tensor, "batch classes"]:
        """Return what a slot's network makes of many images."""
        rows = self.rows[slot]
        act = ACTIVATIONS[self.network.activation].in_place
        h = images.to(rows[0].dtype)
        for layer, weight, bias in zip(self.layers, rows[::2], rows[1::2], strict=True):
            h = layer.evaluation(h, weight, None).add_(bias)
            if layer is not self.layers[-1]:
                h = act(h)
        return h

    def _some(self, slot: int, steps: Iterator[tuple[Tensor, Tensor]], running: Running) -> bool:
        """Take a slot's next steps and return whether there may be more."""
        rows, gradients, method = self.rows[slot], self.gradient_rows[slot], self.methods[slot]
        seen = []
        for images, labels in islice(steps, STEPS_IN_CACHE):
            p = method(rows, images.to(rows[0].dtype), labels, gradients)
            self._finish(slot)
            seen.append((p, labels))
        if seen:
            p, labels = (torch.cat(parts) for parts in zip(*seen, strict=True))
            # One by one, so that the sum does not depend on how many steps are taken at a time.
            each = running.cross_entropy.new_empty(1 + len(labels))
            each[0] = running.cross_entropy[slot]
            each[1:] = chosen_probabilities(p, labels).log_().neg_()
            running.cross_entropy[slot] = each.cumsum(0)[-1]
            running.right[slot] += (p.argmax(-1) == labels).sum()
            running.examples[slot] += len(labels)
        return len(seen) == STEPS_IN_CACHE

    @torch.no_grad()
    def _all(self, images: Tensor, labels: Tensor, training: Sequence[int]) -> Running:
        images = images.to(self.whole[0].dtype)
        p = self.methods[0](self.whole, images, labels, self.gradients)
        for slot in training:
            self._finish(slot)
        cross_entropy = -chosen_probabilities(p, labels).log_()
        right = p.argmax(-1) == labels
        each = (cross_entropy, right, torch.ones_like(right))
        return Running(*(values.sum(-1, dtype=torch.float64) for values in each))

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


def neighbours_felt(
    run: Run,
    batched: bool | None = None,
    device: str = "cpu",
    routes: Mapping[str, str] | None = None,
) -> float:
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
        engine = Engine(network, [run] * len(slots), batched=batched, routes=routes)
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
