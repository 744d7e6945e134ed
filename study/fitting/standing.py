"""Finds a study's status from its records, its locks and its tasks' files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from study.records.parquet import ended_runs
from study.records.reading import read_config
from study.runs.config import study_in
from study.runs.progress import FAILED
from study.runs.run import Run
from study.sharing.locks import held_locks
from study.sharing.tasks import TRAINING, Watch, tasks_of
from study.terminal.arms import arm_label
from study.terminal.study_status import LOST, Status, rate_of


def look(folder: Path, watch: Watch | None = None) -> Status:
    """Return a study's status.

    Parameters
    ----------
    folder
        The study's folder.
    watch
        Tells which tasks are gone; a `Watch` used for a while also knows it of other machines.

    Raises
    ------
    BadInput
        The folder is no study's, or the user may not read its records.
    OSError
        The records cannot be read just now.
    """
    read_config(folder)
    study = study_in(folder)
    wanted = {run.id: run for run in study.runs}
    # Locks first, records last: a run that ends meanwhile counts as ended, not as lost.
    holders = held_locks(folder)
    tasks = judged(folder, watch or Watch(folder))
    columns = ended_runs(folder, ["run", "status", "epochs"])
    # Failed rows first, so that a later training of the same run replaces them below.
    columns.sort(key=lambda row: row[1] != FAILED)
    rows = {run: (status, epochs) for run, status, epochs in columns if run in wanted}
    alive = {task["task"] for task in tasks if task["state"] == TRAINING}
    again = {run for run, task in holders.items() if task in alive} - {
        run for run, (status, _) in rows.items() if status != FAILED
    }
    rows = {run: row for run, row in rows.items() if run not in again}
    held = {run: task for run, task in holders.items() if run in wanted and run not in rows}
    training = {run for run, task in held.items() if task in alive}
    missing: dict[str, list[int]] = {}
    for id_, run in wanted.items():
        if id_ not in rows and id_ not in training:
            missing.setdefault(arm_label(study.arm(run)), []).append(run.seed)
    known = [epochs for status, epochs in rows.values() if status != FAILED]
    left = [run for id_, run in wanted.items() if id_ not in rows]
    return Status(
        name=study.name,
        runs=len(wanted),
        ended=Counter(status for status, _ in rows.values()),
        training=len(training),
        lost=len(held) - len(training),
        other=len({run for run, _, _ in columns} - wanted.keys()),
        missing=missing,
        tasks=tasks,
        seconds_left=seconds_left(left, sum(known) / len(known) if known else None, tasks),
    )


def judged(folder: Path, watch: Watch) -> list[dict[str, Any]]:
    """Return the content of each task's file, with the state ``lost`` for tasks that died."""
    return [
        {**task, "state": LOST}
        if task["state"] == TRAINING and watch.gone(name, guess=True)
        else task
        for name, task in tasks_of(folder).items()
    ]


def seconds_left(
    left: Sequence[Run], typical: float | None, tasks: Sequence[Mapping[str, Any]]
) -> float | None:
    """Estimate the seconds until all runs have ended; None when no task trains.

    Parameters
    ----------
    left
        Runs that have not ended.
    typical
        Mean epochs of ended runs; None, when no run has ended, takes each run's ``max_epochs``.
    tasks
        The content of each task's file.
    """
    alive = [task for task in tasks if task["state"] == TRAINING]
    rate = sum(map(rate_of, alive))
    reached = {run: epoch for task in alive for run, epoch in task["runs"].items()}
    epochs = [(typical or run.trainer.max_epochs) - reached.get(run.id, 0) for run in left]
    return sum(max(1.0, each) for each in epochs) / rate if rate else None
