"""Finds out how far a study is, from its records, its locks and what its tasks last wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from study.base.errors import BadInput
from study.records.live import TRAINING, Task, tasks_of
from study.records.parquet import ended_runs
from study.records.reading import read_config
from study.records.sound import warn_of
from study.runs.config import study_in
from study.runs.progress import FAILED
from study.runs.run import Run
from study.sharing.locks import Locks
from study.sharing.slurm import queued
from study.terminal.arms import arm_label
from study.terminal.study_status import LOST, Status, rate_of


def look(folder: Path) -> Status:
    """Return how far a study is.

    Raises
    ------
    BadInput
        No study's folder, or records that this user may not read.
    OSError
        Records that cannot be read just now.
    """
    read_config(folder)
    study, locks = study_in(folder), Locks(folder)
    wanted = {run.id: run for run in study.runs}
    # Records are read last: a run that ends meanwhile then counts as ended, not as lost.
    tasks = judged(tasks_of(folder), locks)
    held = held_runs(list(wanted), tasks, locks)
    damaged: list[Path] = []
    columns = ended_runs(folder, ["run", "status", "epochs"], None, damaged)
    warn_of(damaged)
    # A run that failed and was trained again counts with its second outcome.
    columns.sort(key=lambda row: row[1] != FAILED)
    rows = {run: (status, epochs) for run, status, epochs in columns if run in wanted}
    rows = {run: row for run, row in rows.items() if not (run in held and row[0] == FAILED)}
    training = held - rows.keys()
    begun = {run for task in tasks if task["state"] != TRAINING for run in task["runs"]}
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
        lost=len((begun & wanted.keys()) - training - rows.keys()),
        other=len({run for run, _, _ in columns} - wanted.keys()),
        missing=missing,
        tasks=tasks,
        queued=queued(folder, [task["job"] for task in tasks if task["job"]]) if left else [],
        seconds_left=seconds_left(left, sum(known) / len(known) if known else None, tasks),
    )


def check_idle(folder: Path) -> None:
    """Raise `BadInput` while a task trains the study, or where there is no study's folder."""
    read_config(folder)
    for task in judged(tasks_of(folder), Locks(folder)):
        if task["state"] == TRAINING:
            found = f"task {task['task']} on {task['host']}, process {task['pid']}"
            hint = "stop it with Ctrl-C, or wait for its end"
            raise BadInput(str(folder), "a study that no task trains", found, hint)


def judged(tasks: Sequence[Task], locks: Locks) -> list[Task]:
    """Return what each task last wrote, and say of those that ended without a word that."""
    found: list[Task] = []
    for task in tasks:
        lost = task["state"] == TRAINING and not locks.held(task["task"]) and not locks.refused
        found.append({**task, "state": LOST} if lost else task)
    return found


def held_runs(runs: Sequence[str], tasks: Sequence[Task], locks: Locks) -> set[str]:
    """Return the runs that tasks train: by their locks, or by their word where nothing locks."""
    held = {run for run in runs if locks.held(run)}
    if locks.refused:
        held |= {run for task in tasks if task["state"] == TRAINING for run in task["runs"]}
    return held


def seconds_left(left: Sequence[Run], typical: float | None, tasks: Sequence[Task]) -> float | None:
    """Guess how long it takes until all runs have ended; None when nobody trains.

    Parameters
    ----------
    left
        Runs that have not ended.
    typical
        The mean number of epochs of the runs that have ended; None when there is none, which
        counts every run with the most epochs that it may take.
    tasks
        What each task last wrote.
    """
    alive = [task for task in tasks if task["state"] == TRAINING]
    rate = sum(map(rate_of, alive))
    reached: Mapping[str, int] = {run: at for task in alive for run, at in task["runs"].items()}
    epochs = [(typical or run.trainer.max_epochs) - reached.get(run.id, 0) for run in left]
    return sum(max(1.0, each) for each in epochs) / rate if rate else None
