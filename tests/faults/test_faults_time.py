"""Clocks that go back and processes that stand still: neither changes a bit, neither hangs."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from campaign import Trial, same, wait_until

DECADE = 3.2e8


def shift_clock(seconds: float) -> None:
    """Let this process's clock be wrong."""
    right = time.time
    time.time = lambda: right() + seconds


def clock(whole: Trial, place: Path, files: float, process: float) -> None:
    """Kill a study, shift the times of its files and the clock of the process that goes on."""
    trial = Trial(place)
    first = trial.start()
    assert wait_until(lambda: list(trial.out.glob("checkpoints/*.safetensors")), first)
    first.kill()
    first.join()
    for path in [trial.out, *trial.out.rglob("*")]:
        moment = time.time() + files
        os.utime(path, (moment, moment), follow_symlinks=False)
    trial.finish(prepare=partial(shift_clock, process))
    same(whole, trial)
    assert trial.redone() <= 2


@pytest.mark.slow
def test_a_clock_set_back_by_ten_years_changes_no_bit(whole: Trial, tmp_path: Path) -> None:
    clock(whole, tmp_path, files=DECADE, process=-DECADE)


@pytest.mark.slow
@pytest.mark.parametrize(("files", "process"), [(-DECADE, 0), (DECADE, 0), (0, DECADE)])
def test_times_of_files_and_clocks_do_not_matter(
    files: float, process: float, whole: Trial, tmp_path: Path
) -> None:
    clock(whole, tmp_path, files, process)


def suspend(whole: Trial, place: Path, times: int, seconds: float) -> None:
    trial = Trial(place)
    process = trial.start()
    assert process.pid is not None
    assert wait_until(lambda: list(trial.out.glob("checkpoints/*.safetensors")), process)
    for _ in range(times):
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(seconds / 10)
    trial.end(process)
    same(whole, trial)
    assert trial.redone() == 0


def test_a_process_that_is_suspended_and_goes_on_changes_no_bit(
    whole: Trial, tmp_path: Path
) -> None:
    suspend(whole, tmp_path, times=2, seconds=0.3)


@pytest.mark.slow
def test_another_process_waits_for_a_suspended_one_and_trains_nothing_twice(
    whole: Trial, tmp_path: Path
) -> None:
    trial = Trial(tmp_path)
    process = trial.start()
    assert process.pid is not None
    assert wait_until(lambda: list(trial.out.glob("checkpoints/*.safetensors")), process)
    os.kill(process.pid, signal.SIGSTOP)
    other = trial.start("--wait")
    assert wait_until(lambda: "waiting for" in trial.said(), other)
    time.sleep(3)
    assert other.exitcode is None
    os.kill(process.pid, signal.SIGCONT)
    for each in (process, other):
        trial.end(each)
    same(whole, trial)
    assert trial.redone() == 0
    assert trial.ended() == 4
