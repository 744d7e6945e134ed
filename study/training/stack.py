"""A stack: runs that share a program, trained together, each in a slot of its own."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from study.base.errors import BadInput
from study.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor

TRAINING, FITTED, FINISHED, DIVERGED = "training", "fitted", "finished", "diverged"


PROGRESS = ("epoch", "status", "epochs_to_fit", "seconds", "history")


@dataclass(eq=False)
class Slot:
    """A run's place in a stack, and how far it has come.

    Attributes
    ----------
    run
        The run trained here.
    epoch
        Epochs trained so far.
    status
        ``training``, or how it ended: ``fitted`` (it has an ``epochs_to_fit``), ``finished`` (it
        never fitted) or ``diverged`` (a loss that is no number).
    epochs_to_fit
        First epoch at whose end all training labels (or the share its stop names) were right.
    seconds
        Its share of the time its stack has trained.
    history
        A row for each evaluated epoch.
    state
        Saved tensors to go on from; None starts from the seed.
    resumed_at
        The epoch those tensors are of.
    """

    run: Run
    epoch: int = 0
    status: str = TRAINING
    epochs_to_fit: int | None = None
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    state: Mapping[str, Tensor] | None = None
    resumed_at: int = 0

    @property
    def training(self) -> bool:
        """Whether the run has not ended."""
        return self.status == TRAINING

    @property
    def due(self) -> bool:
        """Whether this epoch is one to evaluate."""
        return (
            self.epoch % self.run.evaluate_every == 0 or self.epoch >= self.run.trainer.max_epochs
        )

    def progress(self) -> dict[str, Any]:
        """Return how far the run has come, as plain values."""
        return {name: getattr(self, name) for name in PROGRESS}

    def resume(self, progress: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
        """Go on from a saved progress and state."""
        for name in PROGRESS:
            setattr(self, name, progress[name])
        self.state, self.resumed_at = state, self.epoch

    def judge(self, row: Mapping[str, float]) -> None:
        """Add an evaluated epoch's row; end the run if it has fitted, diverged or is through."""
        self.history.append({"run": self.run.id, "epoch": self.epoch, **row})
        stop = self.run.stop
        loss = row["train_cross_entropy"]
        if not math.isfinite(loss):
            self.status = DIVERGED
            return
        if self.epochs_to_fit is None and row["train_accuracy"] >= stop.accuracy_to_fit:
            self.epochs_to_fit = self.epoch
        stops = []
        if stop.train_accuracy is not None:
            stops.append(row["train_accuracy"] >= stop.train_accuracy)
        if stop.train_cross_entropy is not None:
            stops.append(loss <= stop.train_cross_entropy)
        if (stops and all(stops)) or self.epoch >= self.run.trainer.max_epochs:
            self.status = FINISHED if self.epochs_to_fit is None else FITTED


class Stack:
    """Runs of one program in slots; those that find no slot wait for one.

    Parameters
    ----------
    slots
        Runs and how far they have come.
    size
        How many are trained at once; None takes all.
    more
        Runs that come after those, each asked for when a slot is about to be free.

    Raises
    ------
    BadInput
        No run, or runs that do not share a program.
    """

    def __init__(
        self, slots: Sequence[Slot], size: int | None = None, more: Iterable[Slot] = ()
    ) -> None:
        if not slots:
            raise BadInput("runs", "at least one run", 0)
        first = slots[0].run
        for slot in slots:
            if slot.run.program != first.program:
                differing = set(slot.run.program) ^ set(first.program)
                raise BadInput("runs", "runs that share a program", ", ".join(sorted(differing)))
        size = min(size or len(slots), len(slots))
        self.slots = list(slots[:size])
        self.all = list(slots)
        self._waiting = itertools.chain(slots[size:], self._noted(more))
        self._next = next(self._waiting, None)

    def _noted(self, more: Iterable[Slot]) -> Iterator[Slot]:
        for slot in more:
            self.all.append(slot)
            yield slot

    @classmethod
    def of(cls, runs: Run | Sequence[Run] | Stack) -> Stack:
        """Make a stack of a run or of several; a stack stays itself."""
        if isinstance(runs, Stack):
            return runs
        return cls([Slot(run) for run in ([runs] if isinstance(runs, Run) else runs)])

    @property
    def first(self) -> Run:
        """A run to read the shared facts from."""
        return self.all[0].run

    @property
    def training(self) -> list[int]:
        """Indices of the slots whose run has not ended."""
        return [index for index, slot in enumerate(self.slots) if slot.training]

    @property
    def done(self) -> bool:
        """Whether no run is left to train."""
        return self._next is None and not self.training

    def refill(self) -> None:
        """Give the slots of ended runs to those that wait."""
        for index, slot in enumerate(self.slots):
            if not slot.training and self._next is not None:
                self.slots[index] = self._next
                self._next = next(self._waiting, None)
