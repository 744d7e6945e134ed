"""Processes that train one study at once share it; what a killed one had, the others take over."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from campaign import Trial, same, wait_until


def rows(trial: Trial) -> list[str]:
    """Return the runs of all parts, as often as there are rows of them."""
    parts = (trial.out / "runs").glob("*.parquet")
    return [
        run for path in parts for run in pq.read_table(path, partitioning=None)["run"].to_pylist()
    ]


def together(whole: Trial, place: Path, number: int) -> None:
    trial = Trial(place, ("--stack", "1"))
    processes = [trial.start() for _ in range(number)]
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * number
    same(whole, trial)
    assert len(rows(trial)) == len(set(rows(trial))) == trial.ended() == 4
    assert all(len(processes) == 1 for processes in trial.begun().values())
    assert trial.redone() == 0


def test_two_processes_train_each_run_once(whole: Trial, tmp_path: Path) -> None:
    together(whole, tmp_path, 2)


@pytest.mark.slow
@pytest.mark.parametrize("number", [3, 8])
def test_processes_started_at_once_train_each_run_once(
    number: int, whole: Trial, tmp_path: Path
) -> None:
    for again in range(2):
        together(whole, tmp_path / str(again), number)


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 8])
def test_the_runs_of_a_killed_process_are_taken_over_at_once(
    number: int, whole: Trial, tmp_path: Path
) -> None:
    for seed in range(2):
        # Without --wait, a process that finds no free run ends before anything can be taken over.
        options = ("--stack", "2", "--checkpoint_every", "1", "--wait")
        trial = Trial(tmp_path / str(seed), options)
        processes = {process.pid: process for process in (trial.start() for _ in range(number))}
        any_of_them = next(iter(processes.values()))
        assert wait_until(trial.begun, any_of_them)
        (first, *_), *_ = trial.begun().values()
        time.sleep(random.Random(seed).uniform(0, 0.2))
        killed = processes.pop(first)
        killed.kill()
        began = time.monotonic()
        for process in processes.values():
            process.join(120)
        assert [process.exitcode for process in processes.values()] == [0] * (number - 1)
        assert time.monotonic() - began < 60
        same(whole, trial)
        assert len(set(rows(trial))) == 4
        assert trial.redone() <= 1
