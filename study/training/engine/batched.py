"""A GPU's way: all runs of a stack at once, as batched products and one update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from study.nn.mlp import StackedMLP
from study.nn.targets import chosen_probabilities
from study.runs.run import Run
from study.training.engine.base import Engine, Running
from study.training.engine.graph import Recorded, can_record
from study.training.optimizers import RunOptimizer, joined, numbers
from study.training.stack_batch import StackBatch


class BatchedEngine(Engine):
    """Trains all runs of a stack together.

    On a CUDA device a step is recorded once and replayed, see `study.training.engine.graph`: its
    fifty small kernels take less time than launching them. For the same reason runs with equal
    numbers are updated by one optimizer.
    """

    def __init__(self, network: StackedMLP, runs: Sequence[Run]) -> None:
        super().__init__(network, runs, {})
        self.gradients_of = self.method()
        self._recorded: dict[tuple[int, ...], Callable[..., None]] = {}
        self._joined: dict[tuple[int, ...], list[tuple[RunOptimizer, torch.optim.Optimizer]]] = {}
        # Cross-entropies, right answers and examples: written where a recorded step finds them.
        self._sums = self.no_sums()

    def load(self, slot: int, run: Run, *args: Any, **kwargs: Any) -> None:
        """Put a run into a slot; what was recorded and joined knew another optimizer state."""
        super().load(slot, run, *args, **kwargs)
        self._recorded.clear()
        self._joined.clear()

    @torch.no_grad()
    def steps(self, batch: StackBatch, training: Sequence[int]) -> Running:
        """Take a batch's steps, each for all slots at once."""
        self._sums.zero_()
        for images, labels, number in batch.of_all():
            self._step(tuple(training), images.to(self.whole[0].dtype), labels, number)
        return self._sums.clone()

    def _step(
        self, training: tuple[int, ...], images: Tensor, labels: Tensor, number: Tensor
    ) -> None:
        if images.shape[1] != self.runs[0].data.batch_size:
            self._take(training, images, labels, number)
            return
        if training not in self._recorded:
            # The set of training slots only shrinks: a step of a larger set never comes back.
            self._recorded.clear()
            self._recorded[training] = self._recordable(training)
        self._recorded[training](images, labels, number)

    def _recordable(self, training: tuple[int, ...]) -> Callable[..., None]:
        """Return what takes the step of some slots, recorded if it can be."""
        take, device = partial(self._take, training), self.whole[0].device
        can = all(can_record(device, self.runs[slot], self.optimizers[slot]) for slot in training)
        return Recorded(take) if can else take

    def _take(
        self, training: tuple[int, ...], images: Tensor, labels: Tensor, number: Tensor
    ) -> None:
        """Take one step, and add its sums to those of the steps before."""
        masks = self.dropout.masks(slice(None), images, number)
        p = self.gradients_of(self.whole, images, labels, self.gradients, masks)
        self.finish(training)
        cross_entropy = -chosen_probabilities(p, labels).log_()
        right = p.argmax(-1) == labels
        for sums, values in zip(self._sums, (cross_entropy, right), strict=False):
            sums += values.sum(-1, dtype=torch.float64)
        self._sums[2] += labels.shape[-1]

    def _update(self, slots: Sequence[int]) -> None:
        """Step one optimizer for all runs with equal numbers."""
        key = tuple(slots)
        if key not in self._joined:
            self._joined.clear()
            self._joined[key] = [(each[0], joined(each)) for each in self._alike(slots)]
        for first, optimizer in self._joined[key]:
            # A schedule sets the numbers of the runs' own optimizers.
            optimizer.param_groups[0].update(numbers(first.optimizer)[0])
            optimizer.step()
        for slot in slots:
            self.optimizers[slot].advance("step")

    def _alike(self, slots: Sequence[int]) -> list[list[RunOptimizer]]:
        """Group slots' optimizers by their numbers now and in future.

        Classes without torch's option to update many tensors at once gain nothing by it, and may
        not keep one run's tensors apart from another's.
        """
        alike: dict[tuple[object, ...], list[RunOptimizer]] = {}
        for slot in slots:
            each = self.optimizers[slot]
            many = each.optimizer.defaults.keys() & {"foreach", "fused"}
            key = (repr(each.settings), each.scheduled) if many else (slot,)
            alike.setdefault(key, []).append(each)
        return list(alike.values())

    def end_epoch(self, slots: Sequence[int]) -> None:
        """Let schedules know that an epoch has ended; a learning rate is part of a record."""
        before = [numbers(self.optimizers[slot].optimizer) for slot in slots]
        super().end_epoch(slots)
        if before != [numbers(self.optimizers[slot].optimizer) for slot in slots]:
            self._recorded.clear()
