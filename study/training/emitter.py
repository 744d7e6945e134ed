"""Turns Lightning's hooks into the events that observers hear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from torch import Tensor

from study.runs.events import Machine, Observer, Outcome
from study.runs.progress import PREDICTIONS, Progress
from study.training.kept import images_of, rows_of

if TYPE_CHECKING:
    from study.training.plain_loop import OneRun
    from study.training.stack_data import StackData
    from study.training.stack_module import StackModule


class Emitter(pl.callbacks.Checkpoint):
    """Tells observers, in their order, what happens to a stack; is the `LiveStack` that they see.

    A Lightning `Checkpoint`, because those are called after the module's own end of an epoch.
    """

    def __init__(
        self,
        module: StackModule | OneRun,
        data: StackData | OneRun,
        observers: Sequence[Observer],
    ) -> None:
        self.module, self.data, self.observers = module, data, list(observers)
        self._told: set[str] = set()
        self.ended: Sequence[Progress] = []  # in this epoch

    # What observers see.

    @property
    def taken_up(self) -> Sequence[Progress]:
        """All runs that this stack has taken up."""
        return self.module.stack.all

    @property
    def training(self) -> Sequence[Progress]:
        """The runs that have not ended."""
        stack = self.module.stack
        return [stack.slots[index] for index in stack.training]

    def machine(self) -> Machine:
        """Measure and return where the stack is trained."""
        return self.module.machine()

    def hashes(self, progress: Progress) -> tuple[str, str]:
        """Return the sha256 of a run's source of data, and of its examples and labels."""
        return self.data.tensors(progress).hashes

    def state(self, progress: Progress) -> Mapping[str, Tensor]:
        """Return copies of all tensors that a run needs to go on."""
        state = self.module.engine.save(self.module.stack.slots.index(progress))
        return progress.tensors(state)

    def outcome(self, progress: Progress) -> Outcome:
        """Return what a run that ended in this epoch leaves."""
        data, state = self.data.tensors(progress), self.state(progress)
        return Outcome(weights_of(state), rows_of(progress, data), images_of(data))

    def stop(self) -> None:
        """Ask for an end of training after this epoch."""
        self.module.trainer.should_stop = True

    # What Lightning calls.

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say that the stack begins, and ends if none of its runs trains at all."""
        for observer in self.observers:
            observer.stack_began(self)
        if not self.training and not self.module.stack.waits:
            self.on_train_epoch_end(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say that an epoch begins."""
        self.ended = []
        for observer in self.observers:
            observer.epoch_began(self)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Say how far the epoch is."""
        share = (batch_idx + 1) / trainer.num_training_batches
        for observer in self.observers:
            observer.batch_ended(self, share)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say what the epoch brought."""
        stack = self.module.stack
        # A run that failed at once may have given its slot to another already.
        ended = dict.fromkeys(s for s in (*stack.failed, *stack.slots) if not s.training)
        self.ended = [s for s in ended if s.run.id not in self._told]
        self._told.update(progress.run.id for progress in self.ended)
        for observer in self.observers:
            observer.epoch_ended(self)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say that the stack trains no more."""
        for observer in self.observers:
            observer.stack_ended(self)


def weights_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the network's tensors in a run's state, without the optimizer's and predictions."""
    return {k: v.cpu() for k, v in state.items() if not k.startswith(("optimizer.", PREDICTIONS))}
