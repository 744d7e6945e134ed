"""No two tasks hold one run's lock, and the lock of a process that has died is free at once."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from study.sharing import locks
from study.sharing.locks import Locks

RUNS = [f"{number:012x}" for number in range(0, 2**48, 2**48 // 300)]
RUN, NEAR = "05a000000000", "05a000000001"  # locked in the same file


def test_of_eight_tasks_at_once_just_one_gets_each_run(tmp_path: Path) -> None:
    everyone = [Locks(tmp_path) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda each: [run for run in RUNS if each.take(run)], everyone))
    assert sorted(run for each in taken for run in each) == RUNS
    asks = Locks(tmp_path)
    assert all(asks.held(run) for run in RUNS)
    for each in everyone:
        each.close()
    assert not any(asks.held(run) for run in RUNS)


def test_locks_in_one_file_do_not_touch_each_other(tmp_path: Path) -> None:
    one, two = Locks(tmp_path), Locks(tmp_path)
    near = [f"ab{number:010x}" for number in range(4)]
    assert [one.take(near[0]), two.take(near[1]), one.take(near[2])] == [True] * 3
    assert [two.held(run) for run in near] == [True, False, True, False]
    one.release([near[0], near[3]])
    assert [two.take(run) for run in near] == [True, True, False, True]


def test_asking_neither_locks_nor_writes(tmp_path: Path) -> None:
    asks = Locks(tmp_path)
    assert not asks.held(RUN)
    assert list(tmp_path.iterdir()) == []
    task = Locks(tmp_path)
    assert task.take(RUN)
    assert asks.held(RUN)
    assert not task.held(RUN)
    assert task.take(RUN)


def _hold(folder: str, ready: Connection) -> None:
    held = Locks(Path(folder))
    ready.send(held.take(RUN))
    signal.pause()


@contextmanager
def holder(folder: Path) -> Iterator[ForkServerProcess]:
    """Let another process hold a run's lock."""
    context = get_context("forkserver")
    ours, theirs = context.Pipe()
    process = context.Process(target=_hold, args=(str(folder), theirs))
    process.start()
    assert ours.recv()
    try:
        yield process
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize("per_file", [True, False])
def test_the_lock_of_a_killed_process_is_free_at_once(
    per_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not per_file:  # as on macOS, whose locks belong to processes
        monkeypatch.setattr(locks, "PER_FILE", False)
        monkeypatch.setattr(locks, "SET", fcntl.F_SETLK)
        monkeypatch.setattr(locks, "GET", fcntl.F_GETLK)
    with holder(tmp_path) as process:
        task = Locks(tmp_path)
        assert task.held(RUN)
        assert not task.take(RUN)
        assert task.take(NEAR)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        assert not task.held(RUN)
        assert task.take(RUN)


def test_asking_releases_no_lock_where_locks_belong_to_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "PER_FILE", False)
    monkeypatch.setattr(locks, "SET", fcntl.F_SETLK)
    monkeypatch.setattr(locks, "GET", fcntl.F_GETLK)
    task, asks = Locks(tmp_path), Locks(tmp_path)
    assert task.take(RUN)
    assert not asks.held(NEAR)  # closing a descriptor of the file would release it
    context = get_context("forkserver")
    with context.Pool(1) as pool:
        assert pool.apply(_held, (str(tmp_path), RUN))


def _held(folder: str, run: str) -> bool:
    return Locks(Path(folder)).held(run)


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_that_refuses_to_lock_is_noticed_and_every_run_is_free(
    error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> bytes:
        raise OSError(error, os.strerror(error))

    one, two = Locks(tmp_path), Locks(tmp_path)
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    assert one.take(RUN)
    assert not two.held(RUN)
    assert two.take(RUN)
    assert one.refused
    assert two.refused


def test_other_errors_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    task = Locks(tmp_path)
    monkeypatch.setattr(fcntl, "fcntl", fail)
    with pytest.raises(OSError, match="Input/output error"):
        task.take(RUN)
