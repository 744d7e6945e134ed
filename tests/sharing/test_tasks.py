"""No two tasks train one run, and a claim whose task is gone is taken over."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from helpers import elsewhere

from study.sharing import tasks
from study.sharing.locks import Locks, held_locks
from study.sharing.tasks import (
    DONE,
    FAILED,
    LAPSE_SECONDS,
    Task,
    Watch,
    identity,
    read_task,
    tasks_of,
)


def locks_of(folder: Path, task: Task) -> Locks:
    return Locks(folder, task)


def test_of_eight_tasks_at_once_just_one_gets_each_run(tmp_path: Path) -> None:
    everyone = [Task(tmp_path) for _ in range(8)]
    for task in everyone:
        task.__enter__()
    runs = [f"run{number}" for number in range(100)]
    with ThreadPoolExecutor(8) as pool:
        taken = list(
            pool.map(lambda t: [r for r in runs if Locks(tmp_path, t).take(r) == []], everyone)
        )
    assert sorted(run for each in taken for run in each) == sorted(runs)
    assert set(held_locks(tmp_path)) == set(runs)
    for task in everyone:
        task.__exit__(None, None, None)


def hold(folder: str, run: str, ready: Connection) -> None:
    with Task(Path(folder)) as task:
        Locks(Path(folder), task).take(run)
        ready.send(task.name)
        signal.pause()


def test_the_claim_of_a_killed_process_is_taken_over_at_once_and_once(tmp_path: Path) -> None:
    context = get_context("forkserver")
    ours, theirs = context.Pipe()
    process = context.Process(target=hold, args=(str(tmp_path), "run", theirs))
    process.start()
    name = ours.recv()
    with Task(tmp_path) as one, Task(tmp_path) as two:
        first, second = Locks(tmp_path, one), Locks(tmp_path, two)
        assert first.take("run") is None
        assert first.holder("run") == name
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        assert first.holder("run") is None
        assert first.take("run") == [name]
        assert first.take("run") == [name]  # it has it already
        assert second.take("run") is None
        first.release(["run"])
        assert list((tmp_path / "claims").iterdir()) == []


def test_a_task_that_ended_has_left_its_runs_and_says_where_their_states_are(
    tmp_path: Path,
) -> None:
    names = []
    for _ in range(3):
        with Task(tmp_path) as task:
            assert Locks(tmp_path, task).take("run") == names
            names.insert(0, task.name)
    assert Locks(tmp_path, Task(tmp_path)).history("run") == names


def test_a_failed_task_says_so(tmp_path: Path) -> None:
    def fail() -> None:
        with Task(tmp_path):
            raise MemoryError

    with pytest.raises(MemoryError):
        fail()
    (content,) = tasks_of(tmp_path).values()
    assert content["state"] == FAILED


def test_a_task_of_another_machine_is_gone_once_its_beats_stand_still_whatever_the_clocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = {"now": 100.0}
    monkeypatch.setattr("study.sharing.tasks.time.monotonic", lambda: clock["now"])
    monkeypatch.setattr("study.sharing.tasks.time.time", lambda: -1e9)  # a clock set back
    watch = Watch(tmp_path)
    elsewhere(tmp_path, "far", 1)
    os.utime(tmp_path / "tasks" / "far.json", (1, 1))  # nor do the times of files matter
    assert not watch.gone("far")
    clock["now"] += LAPSE_SECONDS - 1
    assert not watch.gone("far")
    elsewhere(tmp_path, "far", 2)
    clock["now"] += 2
    assert not watch.gone("far")
    clock["now"] += LAPSE_SECONDS
    assert watch.gone("far")


@pytest.mark.parametrize(("restarts", "gone"), [("1", True), ("0", False)])
def test_an_earlier_start_of_this_slurm_job_is_gone_at_once(
    restarts: str, gone: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"ARRAY_JOB_ID": "7", "ARRAY_TASK_ID": "3", "PROCID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("SLURM_RESTART_COUNT", restarts)
    elsewhere(tmp_path, "before", 1, job="7_3_0", restarts=0)
    elsewhere(tmp_path, "neighbour", 1, job="7_2_0", restarts=0)
    watch = Watch(tmp_path)
    assert watch.gone("before") is gone
    assert not watch.gone("neighbour")


@pytest.mark.parametrize(
    ("text", "number"), [("", 0), ("x", 0), ("-1", 0), ("1.5", 0), ("\u0663", 0), ("2", 2)]
)
def test_a_count_of_restarts_that_slurm_cannot_have_given_counts_as_none(
    text: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", text)
    assert identity()["restarts"] == number


def test_the_same_slurm_job_on_another_node_is_gone_once_its_beats_stand_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = {"now": 100.0}
    monkeypatch.setattr("study.sharing.tasks.time.monotonic", lambda: clock["now"])
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    elsewhere(tmp_path, "before", 1, job="7", restarts=0)
    watch = Watch(tmp_path)
    assert not watch.gone("before")
    clock["now"] += LAPSE_SECONDS
    assert watch.gone("before")


def test_a_task_whose_file_cannot_be_read_for_a_moment_is_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(tmp_path, "far", 1)
    watch = Watch(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", fails_as_a_file_server)
        assert not watch.gone("far")
        assert tasks_of(tmp_path) == {}
    assert not watch.gone("far")
    assert list(tasks_of(tmp_path)) == ["far"]


def fails_as_a_file_server(self: Path, encoding: str | None = None) -> str:
    raise OSError(errno.ESTALE, "Stale file handle")


def test_until_it_is_watched_a_task_with_an_old_file_may_be_taken_for_gone(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    elsewhere(tmp_path, "far", 1)
    os.utime(tmp_path / "tasks" / "far.json", (1, 1))
    assert watch.gone("far", guess=True)
    assert not watch.gone("far")
    elsewhere(tmp_path, "far", 2)
    os.utime(tmp_path / "tasks" / "far.json", (1, 1))
    assert not watch.gone("far", guess=True)  # its beats come: that clock is wrong


@pytest.mark.parametrize("spoil", [lambda p: p.unlink(), lambda p: p.write_text("{")])
def test_a_task_whose_file_is_lost_or_damaged_is_gone(
    spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    elsewhere(tmp_path, "far", 1)
    assert not Watch(tmp_path).gone("far")
    spoil(tmp_path / "tasks" / "far.json")
    assert Watch(tmp_path).gone("far")


def test_a_task_beats_while_it_lives_and_says_what_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "BEAT_SECONDS", 0.01)
    with Task(tmp_path, "2/4") as task:
        task.progress({"a": 3}, ended=1, epochs=5)
        task.progress({"a": 4}, ended=0, epochs=2)
        first = read_task(tmp_path, task.name)
        assert first is not None
        while (later := read_task(tmp_path, task.name) or first)["epochs"] < 7:
            pass
        while (last := read_task(tmp_path, task.name) or later)["beat"] <= later["beat"]:
            pass
    assert (last["share"], last["runs"], last["ended"]) == ("2/4", {"a": 4}, 1)
    ended = read_task(tmp_path, task.name)
    assert ended is not None
    assert ended["state"] == DONE
