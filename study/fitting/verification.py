"""Retrains recorded runs, each alone, and compares the result with their records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import torch
from pydantic import BaseModel, Field, ValidationError

from study.base.errors import BadInput, CodeFailed
from study.base.files import read_regular, sha256
from study.data.prepare import DataCache
from study.measures import MEASURES
from study.records.arrays import npy, weights_hash
from study.records.networks import MOST_BYTES
from study.records.predictions import answers_table, apart
from study.records.reading import read_environment
from study.runs.events import LiveStack, Observer
from study.runs.progress import FAILED, Progress
from study.runs.run import Run
from study.training.loop import train_stack
from study.training.plain_loop import train_plain

if TYPE_CHECKING:
    import pyarrow as pa

# The largest relative difference of two histories of one run, a stack's and the plain module's.
# Rounding grows over the steps of a training, and most in one that diverges.
BETWEEN_ENGINES = {"64-true": 1e-6, "32-true": 1e-3, "bf16-mixed": 1e-1}

# A column that is a share of a norm already; near 0 it is rounding, whose own share says nothing.
RELATIVE = ("gradient_autograd_distance",)
MOST_THREADS = 1_024


class Verdict(NamedTuple):
    """The result of retraining one run.

    Attributes
    ----------
    run
        The run's id.
    allowed
        The tolerance that the run's environment declares; 0 promises the same bits. Where another
        engine retrained, `BETWEEN_ENGINES`.
    differences
        By what was compared and is not the same, how large the difference is, relative to the
        recorded value or to the largest weight; infinite where no size can be given.
    not_compared
        What was not compared, in words.
    """

    run: str
    allowed: float
    differences: Mapping[str, float]
    not_compared: Sequence[str]

    @property
    def bitwise(self) -> bool:
        """Whether everything that was compared has the same bits."""
        return not self.differences

    @property
    def holds(self) -> bool:
        """Whether the record's promise is kept."""
        return all(0 < self.allowed >= each for each in self.differences.values())


class Recorded(NamedTuple):
    """A run and what its folder has of it; ``answers`` and ``weights`` where they are kept."""

    run: Run
    row: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    answers: pa.Table | None
    weights: Path


class Environment(BaseModel):
    """What a run's environment says that decides its bits."""

    threads: Annotated[int, Field(ge=1, le=MOST_THREADS, strict=True)]
    tolerance: float
    routes: dict[str, str]
    device: str
    engine: str = "stack"


def verify_run(folder: Path, recorded: Recorded, engine: str | None = None) -> Verdict:
    """Retrain one run alone, with its environment's settings, and compare it with its record.

    Another ``engine`` than the recorded one does not give its bits: the results are compared to
    `BETWEEN_ENGINES`.
    """
    run, row, history, *_ = recorded
    environment = _environment(folder, str(row.get("environment")))
    torch.set_num_threads(environment.threads)
    accelerator = "cpu" if environment.device == "cpu" else "auto"
    there = run.with_settings({"trainer.accelerator": accelerator})
    columns = _columns(history)
    measures = [name for name, each in MEASURES.items() if not columns.isdisjoint(each.columns)]
    engine = engine or environment.engine
    again = _retrain(there, measures, environment.routes, engine)
    for name, found in zip(("data_hash", "labels_hash"), again.hashes, strict=True):
        if found != row.get(name):
            why = "the data set differs from the recorded one"
            raise BadInput(f"{run.id} {name}", str(row.get(name)), found, why)
    # Rounding differences add up over the steps of a training.
    steps = row["epochs"] * math.ceil(run.data.examples / run.data.batch_size)
    allowed = environment.tolerance * steps
    if engine != environment.engine:
        allowed = BETWEEN_ENGINES[run.trainer.precision]
    return _compared(recorded, again, allowed)


class _Retrained(Observer):
    """Keeps what a run leaves that is trained again, alone."""

    def __init__(self, run: Run) -> None:
        self.progress = Progress(run)

    def epoch_ended(self, stack: LiveStack) -> None:
        """Keep it once the run has ended."""
        if self.progress in stack.ended and self.progress.status != FAILED:
            self.hashes, self.outcome = stack.hashes(self.progress), stack.outcome(self.progress)


def _retrain(
    run: Run, measures: Sequence[str], routes: Mapping[str, str], engine: str
) -> _Retrained:
    """Train one run alone, recording nothing; `CodeFailed` is raised when its code fails."""
    again, cache = _Retrained(run), DataCache()
    more, how = iter([again.progress]), ([again], measures)
    if engine == "plain":
        train_plain(more, cache, *how, keep_predictions=True)
    else:
        train_stack(more, 1, cache, lambda _: routes, *how, keep_predictions=True)
    if again.progress.error is not None:
        raise CodeFailed(again.progress.error)
    return again


def _compared(recorded: Recorded, again: _Retrained, allowed: float) -> Verdict:
    """Compare everything that a run's record and its new training both have."""
    row, history, progress = recorded.row, recorded.history, again.progress
    before, now = _columns(history), _columns(progress.history)
    left_out = [f"{name} (not recomputed)" for name in sorted(before - now)]
    left_out += [f"{name} (not recorded)" for name in sorted(now - before)]
    gaps = {"history": largest_difference(history, progress.history)}
    if weights_hash(again.outcome.weights) != row["weights_hash"]:
        if allowed and not recorded.weights.is_file():
            left_out.append("weights (not kept)")
        else:
            gaps["weights"] = (
                _weights_gap(recorded.weights, again.outcome.weights) if allowed else math.inf
            )
    found = {"status": progress.status, "epochs": progress.epoch}
    for name, value in {**found, "epochs_to_fit": progress.epochs_to_fit}.items():
        if row[name] != value and allowed:  # rounding may have moved it
            left_out.append(f"{name} ({row[name]} is recorded, {value} came out)")
        elif row[name] != value:
            gaps[name] = math.inf
    if recorded.answers is None:
        left_out.append("predictions (not kept)")
    else:
        gaps["predictions"], more = apart(recorded.answers, _answers(recorded, again), allowed > 0)
        left_out += more
    return Verdict(recorded.run.id, allowed, {k: v for k, v in gaps.items() if v}, left_out)


def _answers(recorded: Recorded, again: _Retrained) -> pa.Table:
    """Return the new predictions, with images named where the recorded ones have some."""
    named = recorded.answers is not None and set(recorded.answers["images"].to_pylist()) - {None}
    images = npy(again.outcome.images)[0] if named else None
    return answers_table(recorded.run.id, again.outcome.predictions, images)


def _weights_gap(path: Path, again: Mapping[str, torch.Tensor]) -> float:
    """Return the largest difference of a weight, relative to the largest weight."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        kept = load(read_regular(path, MOST_BYTES))
    except (BadInput, OSError, SafetensorError, ValueError):
        return math.inf
    if {k: v.shape for k, v in kept.items()} != {k: v.shape for k, v in again.items()}:
        return math.inf
    largest = max(float(each.abs().max()) for each in again.values())
    gap = max(float((kept[name] - again[name]).abs().max()) for name in again) / largest
    return math.inf if math.isnan(gap) else gap


def _environment(folder: Path, name: str) -> Environment:
    path = folder / "environment" / f"{name}.json"
    try:
        found = Environment.model_validate(read_environment(folder, name))
    except ValidationError as error:
        fault = error.errors()[0]
        what = f"{fault['loc'][0]}: {fault['msg']}"
        raise BadInput(str(path), "the environment of a recorded run", what) from None
    # A tolerance that was edited allows nothing: the file's name is its content's hash.
    edited = not sha256([path.read_bytes()]).startswith(name)
    return found.model_copy(update={"tolerance": 0.0}) if edited else found


def _columns(history: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the columns of a history that hold something: merged parts have empty ones."""
    return {name for epoch in history for name, value in epoch.items() if value is not None}


def largest_difference(
    recorded: Sequence[Mapping[str, Any]], again: Sequence[Mapping[str, Any]]
) -> float:
    """Return the largest relative difference of two histories; infinite if their epochs differ.

    Columns that only one history has are skipped, as versions record different measures. Columns
    that are relative already are compared as they are.
    """
    if [row["epoch"] for row in recorded] != [row["epoch"] for row in again]:
        return math.inf
    shared, largest = (_columns(recorded) & _columns(again)) - {"run"}, 0.0
    for old, new in zip(recorded, again, strict=True):
        for name in shared:
            value, other = old.get(name), new.get(name)
            if value is None or other is None:
                largest = largest if value is other else math.inf
            elif value != other and not (value != value and other != other):
                # Two infinities are equal, and so are two nans.
                whole = 1.0 if name in RELATIVE else max(abs(value), 1e-12)
                relative = abs(value - other) / whole
                largest = max(largest, math.inf if math.isnan(relative) else relative)
    return largest
