"""The recorder writes the rows of runs that ended, and saves the states of those that have not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from study.records.checkpoints import Checkpoints
from study.records.environment import environment
from study.records.provenance import data_sizes, outside_hashes
from study.records.writing import Folder, weights_hash
from study.runs.events import LiveStack, Observer, Outcome
from study.runs.progress import FAILED, Progress
from study.runs.study import Study

Row = Mapping[str, Any]


class Recorded(NamedTuple):
    """A run that has just been recorded: how far it came, its row and its predictions."""

    progress: Progress
    row: Row
    predictions: Sequence[Row]

    @property
    def failed(self) -> bool:
        """Whether the run has no result."""
        return self.progress.status == FAILED


class Recorder(Observer):
    """Records runs that ended, and writes checkpoints of those that have not.

    Parameters
    ----------
    study
        The study.
    folder
        Its folder.
    checkpoints
        Its checkpoints.
    recorded
        Called once some runs are recorded.
    """

    def __init__(
        self,
        study: Study,
        folder: Folder,
        checkpoints: Checkpoints,
        recorded: Callable[[Sequence[Recorded]], None],
    ) -> None:
        self.study, self.folder, self.checkpoints = study, folder, checkpoints
        self.recorded = recorded
        self.environment: Mapping[str, Any] = {}
        self._environment_hash = ""
        self._since_checkpoint = 0

    def stack_began(self, stack: LiveStack) -> None:
        """Record where this stack is trained."""
        self.environment = environment(stack.machine())
        self._environment_hash = self.folder.write_environment(self.environment)

    def epoch_ended(self, stack: LiveStack) -> None:
        """Record what ended, and save the rest when it is time."""
        if stack.ended:
            self._record(stack)
        self._since_checkpoint += 1
        if self._since_checkpoint >= self.study.checkpoint_every:
            self._checkpoint(stack)

    def stack_ended(self, stack: LiveStack) -> None:
        """Save what was stopped before its end."""
        if self._since_checkpoint:
            self._checkpoint(stack)

    def _checkpoint(self, stack: LiveStack) -> None:
        self._since_checkpoint = 0
        for each in stack.training:
            self.checkpoints.write(each, stack.state(each))

    def _record(self, stack: LiveStack) -> None:
        done: list[Recorded] = []
        history: list[Row] = []
        for progress in stack.ended:
            if progress.status == FAILED:
                done.append(Recorded(progress, self._row(progress), []))
                continue
            outcome = stack.outcome(progress)
            if self.study.keep_weights:
                self.folder.write_weights(progress.run.id, outcome.weights)
            results = {
                **dict(zip(("data_hash", "labels_hash"), stack.hashes(progress), strict=True)),
                "weights_hash": weights_hash(outcome.weights),
            }
            row = self._row(progress, **results)
            history += progress.history
            done.append(Recorded(progress, row, self._predictions(progress, outcome)))
        predictions = [row for each in done for row in each.predictions]
        self.folder.write_part([each.row for each in done], history, predictions)
        self.checkpoints.remove(each.progress.run.id for each in done)
        self.recorded(done)

    def _predictions(self, progress: Progress, outcome: Outcome) -> list[Row]:
        name = self.folder.write_images(outcome.images)
        return [
            {"run": progress.run.id, **row, "images": None if row["place"] is None else name}
            for row in outcome.predictions
        ]

    def _row(
        self,
        progress: Progress,
        data_hash: str | None = None,
        labels_hash: str | None = None,
        weights_hash: str | None = None,
    ) -> Row:
        run = progress.run
        return {
            "run": run.id,
            **run.facts(),
            "facts": json.dumps(run.facts()),
            "status": progress.status,
            "epochs": progress.epoch,
            "epochs_to_fit": progress.epochs_to_fit,
            "parameters": run.parameters,
            **data_sizes(run),
            "outside": outside_hashes(run),
            "seconds": progress.seconds,
            "data_hash": data_hash,
            "labels_hash": labels_hash,
            "weights_hash": weights_hash,
            "environment": self._environment_hash,
            "error": progress.error,
        }
