"""A task takes free runs one after another, and leaves some to the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.runs.run import Run
from study.sharing.locks import Locks
from study.sharing.queue import Queue

RUNS = [Run(seed=seed) for seed in range(40)]


def queue(folder: Path, *ended: Run) -> Queue:
    return Queue(RUNS, Locks(folder), lambda: {run.id for run in ended})


def test_runs_that_others_hold_or_that_are_recorded_are_passed_over(tmp_path: Path) -> None:
    mine, theirs = queue(tmp_path), queue(tmp_path)
    theirs.locks.take(RUNS[1].id)
    taken = list(mine.take(RUNS[:4], recorded=lambda run: run is RUNS[2]))
    assert taken == [RUNS[0], RUNS[3]]
    assert [theirs.locks.held(run.id) for run in RUNS[:4]] == [True, False, False, True]


def test_a_run_is_locked_when_it_is_asked_for_and_not_before(tmp_path: Path) -> None:
    taken = queue(tmp_path).take(RUNS, recorded=lambda run: False)
    next(taken)
    asks = Locks(tmp_path)
    assert [asks.held(run.id) for run in RUNS[:2]] == [True, False]


@pytest.mark.parametrize(("tasks", "number"), [(1, 20), (2, 10), (8, 3), (1_000, 1)])
def test_the_next_few_leave_runs_to_the_other_tasks(
    tasks: int, number: int, tmp_path: Path
) -> None:
    each = queue(tmp_path)
    assert each.some(RUNS, (), tasks) == RUNS[:number]


def test_runs_that_others_say_they_train_come_last(tmp_path: Path) -> None:
    each, other = queue(tmp_path, RUNS[0]), Locks(tmp_path)
    other.take(RUNS[3].id)
    left = each.left([RUNS[1].id])
    assert left == RUNS[2:]
    shown = {run.id for run in RUNS[2:38]}
    assert each.some(left, shown, 6) == [RUNS[38], RUNS[39], RUNS[2], RUNS[4]]
    assert each.some([RUNS[3]], (), 1) == []
