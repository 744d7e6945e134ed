"""The recorder writes the rows of runs that ended, and saves the states of those that have not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from study.base.names import source_hash
from study.data.prepare import image_key
from study.records.arrays import weights_hash
from study.records.checkpoints import Checkpoints
from study.records.environment import environment
from study.records.measured import write_added
from study.records.predictions import answers_table
from study.records.writing import Folder
from study.runs.events import LiveStack, Observer, Outcome
from study.runs.progress import FAILED, Progress
from study.runs.run import Run
from study.runs.study import Study

if TYPE_CHECKING:
    import pyarrow as pa

Row = Mapping[str, Any]


class Recorded(NamedTuple):
    """A run that has just been recorded: how far it came, its row and its predictions."""

    progress: Progress
    row: Row
    predictions: pa.Table | None

    @property
    def failed(self) -> bool:
        """Whether the run has no result."""
        return self.progress.status == FAILED


class Again(NamedTuple):
    """What is recorded of a run that is trained again for the measures that it lacks."""

    weights_hash: str
    columns: tuple[str, ...]


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
    again
        The runs that are recorded already, by id: of these only columns are added.
    recorded
        Called once some runs are recorded.
    """

    def __init__(
        self,
        study: Study,
        folder: Folder,
        checkpoints: Checkpoints,
        again: Mapping[str, Again],
        recorded: Callable[[Sequence[Recorded]], None],
    ) -> None:
        self.study, self.folder, self.checkpoints = study, folder, checkpoints
        self.again, self.recorded = again, recorded
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
        again = [each for each in stack.ended if each.run.id in self.again]
        for progress in stack.ended:
            if progress in again:
                continue
            if progress.status == FAILED:
                done.append(Recorded(progress, self._row(progress), None))
                continue
            outcome = stack.outcome(progress)
            if self.study.keep_weights:
                self.folder.write_weights(progress.run.id, outcome.weights)
            hashes = [*stack.hashes(progress), weights_hash(outcome.weights)]
            predictions = self._predictions(progress.run, outcome)
            done.append(Recorded(progress, self._row(progress, hashes), predictions))
            history += progress.history
        if done:
            kept = [each.predictions for each in done if each.predictions is not None]
            self.folder.write_part([each.row for each in done], history, kept)
        self._add(again, stack)
        self.checkpoints.remove(each.run.id for each in stack.ended)
        self.recorded([*done, *(Recorded(progress, {}, None) for progress in again)])

    def _add(self, again: Sequence[Progress], stack: LiveStack) -> None:
        """Add the columns that recorded runs lacked, where their weights are what they were."""
        rows: dict[tuple[str, ...], list[Row]] = {}
        for progress in again:
            before = self.again[progress.run.id]
            if progress.status == FAILED:
                continue
            if weights_hash(stack.outcome(progress).weights) == before.weights_hash:
                rows.setdefault(before.columns, []).extend(progress.history)
            else:
                progress.status = FAILED
                progress.error = "measures: trained again, its weights differ from the recorded "
                progress.error += "ones, so nothing was added"
        for columns, its in rows.items():
            write_added(self.folder.path, its, columns)

    def _predictions(self, run: Run, outcome: Outcome) -> pa.Table | None:
        """Return what a run's network answered; its images are kept once for each condition."""
        if not outcome.predictions:
            return None
        whole = run.data.examples == run.data.source.train_examples
        same_for_all_seeds = whole and image_key(run)[-1] is None
        images = None
        if same_for_all_seeds or run.seed == self.study.runs[0].seed:
            images = self.folder.write_images(outcome.images)
        return answers_table(run.id, outcome.predictions, images)

    def _row(self, progress: Progress, hashes: Sequence[str | None] = (None, None, None)) -> Row:
        run, source = progress.run, progress.run.data.source
        outside = sorted(name for _, name in run.outside().values())
        return {
            "run": run.id,
            **run.facts(),
            "facts": json.dumps(run.facts()),
            "status": progress.status,
            "epochs": progress.epoch,
            "epochs_to_fit": progress.epochs_to_fit,
            "parameters": run.parameters,
            # So that reading a record resolves no name.
            "image_shape": json.dumps(source.shape),
            "classes": source.classes,
            "test_examples": source.test_examples,
            "outside": json.dumps({n: source_hash(n) for n in outside}) if outside else None,
            "seconds": progress.seconds,
            **dict(zip(("data_hash", "labels_hash", "weights_hash"), hashes, strict=True)),
            "environment": self._environment_hash,
            "error": progress.error,
        }
