"""Retrains recorded runs, each alone, and compares the result with their records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from study.base.errors import BadInput
from study.measures import MEASURES
from study.records.reading import read_environment
from study.records.writing import weights_hash
from study.runs.run import Run
from study.training.loop import retrain
from study.training.plain_loop import retrain_plain

# The largest relative difference of two histories of one run, a stack's and the plain module's.
# Rounding grows over the steps of a training, and most in one that diverges.
BETWEEN_ENGINES = {"64-true": 1e-6, "32-true": 1e-3, "bf16-mixed": 1e-1}

MOST_THREADS = 1_024


class Verdict(NamedTuple):
    """The result of retraining one run.

    Attributes
    ----------
    run
        The run's id.
    bitwise
        Whether weights and history have the same bits.
    difference
        The largest difference in the history, relative to the recorded value.
    allowed
        The tolerance that the run's environment declares; 0 promises the same bits. Where another
        engine retrained, `BETWEEN_ENGINES`.
    """

    run: str
    bitwise: bool
    difference: float
    allowed: float

    @property
    def holds(self) -> bool:
        """Whether the record's promise is kept."""
        return self.bitwise or (self.allowed > 0 and self.difference <= self.allowed)


class Environment(NamedTuple):
    """What a run's environment says that decides its bits."""

    threads: int
    tolerance: float
    routes: Mapping[str, str]
    accelerator: str
    engine: str


def verify_run(
    folder: Path,
    run: Run,
    row: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    engine: str | None = None,
) -> Verdict:
    """Retrain one run alone, with its environment's settings, and compare it with its record.

    Another ``engine`` than the recorded one does not give its bits: the histories are compared to
    `BETWEEN_ENGINES`.
    """
    environment = _environment(folder, str(row.get("environment")))
    torch.set_num_threads(environment.threads)
    there = run.with_settings({"trainer.accelerator": environment.accelerator})
    columns = {name for epoch in history for name, value in epoch.items() if value is not None}
    measures = [name for name, each in MEASURES.items() if not columns.isdisjoint(each.columns)]
    engine = engine or environment.engine
    if engine == "plain":
        weights, again, hashes = retrain_plain(there, measures)
    else:
        weights, again, hashes = retrain(there, environment.routes, measures)
    for name, found in zip(("data_hash", "labels_hash"), hashes, strict=True):
        if found != row.get(name):
            why = "the data set differs from the recorded one"
            raise BadInput(f"{run.id} {name}", str(row.get(name)), found, why)
    difference = largest_difference(history, again)
    same = weights_hash(weights) == row.get("weights_hash") and difference == 0
    if engine != environment.engine:
        return Verdict(run.id, same, difference, BETWEEN_ENGINES[run.trainer.precision])
    # Rounding differences add up over the steps of a training.
    steps = row["epochs"] * math.ceil(run.data.examples / run.data.batch_size)
    return Verdict(run.id, same, difference, environment.tolerance * steps)


def _environment(folder: Path, name: str) -> Environment:
    found, path = read_environment(folder, name), folder / "environment" / f"{name}.json"
    try:
        if not (isinstance(found["threads"], int) and 1 <= found["threads"] <= MOST_THREADS):
            raise ValueError(f"threads: {found['threads']}")
        return Environment(
            found["threads"],
            float(found["tolerance"]),
            dict(found["routes"]),
            "cpu" if found["device"] == "cpu" else "auto",
            found.get("engine", "stack"),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(str(path), "the environment of a recorded run", str(error)) from None


def largest_difference(
    recorded: Sequence[Mapping[str, Any]], again: Sequence[Mapping[str, Any]]
) -> float:
    """Return the largest relative difference of two histories; infinite if their epochs differ.

    Columns that only one history has are skipped, as versions record different measures.
    """
    if [row["epoch"] for row in recorded] != [row["epoch"] for row in again]:
        return math.inf
    largest = 0.0
    for old, new in zip(recorded, again, strict=True):
        for name, value in old.items():
            if name == "run" or name not in new or value is None:
                continue
            if value == new[name] or (value != value and new[name] != new[name]):
                continue  # two infinities are equal, and so are two nans
            relative = abs(value - new[name]) / max(abs(value), 1e-12)
            largest = max(largest, math.inf if math.isnan(relative) else relative)
    return largest
