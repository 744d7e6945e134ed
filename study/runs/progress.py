"""A run's progress: its epochs, the rows of its history, and how it ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from study.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor

TRAINING, FITTED, FINISHED, DIVERGED = "training", "fitted", "finished", "diverged"
FAILED = "failed"


LONGEST_ERROR = 1_000  # characters
PREDICTIONS = "predictions."
SAVED = ("epoch", "status", "epochs_to_fit", "seconds", "history")


@dataclass(eq=False)
class Progress:
    """The progress of a run.

    Attributes
    ----------
    run
        The run.
    epoch
        Epochs trained so far.
    status
        ``training``, or how the run ended: ``fitted`` (it has an ``epochs_to_fit``), ``finished``
        (it never fitted), ``diverged`` (its loss became infinite or nan) or ``failed`` (code that
        its config names raised an error).
    epochs_to_fit
        First epoch that ended with the share ``stop.accuracy_to_fit`` of training labels right.
    seconds
        The run's share of the time its stack has trained.
    history
        A row for each evaluated epoch.
    error
        A failed run's error on one line.
    state
        Saved tensors to go on from; None starts from the seed.
    resumed_at
        The epoch of the saved tensors.
    predictions
        What the network has answered so far (`study.training.kept`), by name.
    """

    run: Run
    epoch: int = 0
    status: str = TRAINING
    epochs_to_fit: int | None = None
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None
    state: Mapping[str, Tensor] | None = None
    resumed_at: int = 0
    predictions: dict[str, Tensor] = field(default_factory=dict)

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

    def plain(self) -> dict[str, Any]:
        """Return the plain values that a checkpoint saves."""
        return {name: getattr(self, name) for name in SAVED}

    def tensors(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors that a checkpoint saves: the network's state, and predictions."""
        return {**state, **{f"{PREDICTIONS}{k}": v for k, v in self.predictions.items()}}

    def resume(self, saved: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go on from a checkpoint's plain values and tensors."""
        for name in SAVED:
            setattr(self, name, saved[name])
        kept = {name for name in tensors if name.startswith(PREDICTIONS)}
        self.predictions = {name.removeprefix(PREDICTIONS): tensors[name] for name in kept}
        self.state = {name: tensors[name] for name in tensors if name not in kept}
        self.resumed_at = self.epoch

    def fail(self, error: Exception) -> None:
        """End the run with an error."""
        text = " ".join(f"{type(error).__name__}: {error}".split())
        self.status, self.error, self.state = FAILED, text[:LONGEST_ERROR], None

    def judge(self, row: Mapping[str, float]) -> None:
        """Add an evaluated epoch's row; end the run if it should stop, diverged or was its last."""
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
