"""Tasks that train one study: each begins with its share and trains what the others leave."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from campaign import Trial, same
from fit_cases import wait_for
from helpers import SMALL, fit_process

import study
from study.fit import main as fit
from study.runs.command_line import read
from study.sharing.locks import Locks


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def ids(config: Path) -> list[str]:
    return [run.id for run in read(["--config", str(config)]).study.runs]


def recorded(out: Path) -> set[str]:
    return set(study.load(out)[0]["run"])


def array_task(monkeypatch: pytest.MonkeyPatch, number: int, of: int) -> None:
    """Let this process be a task of a Slurm array."""
    numbers = {"TASK_ID": number, "TASK_COUNT": of, "TASK_MIN": 0, "TASK_MAX": of - 1}
    for name, value in numbers.items():
        monkeypatch.setenv(f"SLURM_ARRAY_{name}", str(value))


def test_in_an_array_whose_other_task_never_begins_one_trains_everything(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array_task(monkeypatch, 0, 2)
    assert fit(["--config", str(config), "--out", str(tmp_path / "out")]) == 0
    assert recorded(tmp_path / "out") == set(ids(config))


def test_a_share_that_is_asked_for_is_trained_and_nothing_else(
    config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert fit(["--config", str(config), "--out", str(out), "--shard", "1/2"]) == 0
    assert len(recorded(out)) == 2
    assert fit(["--config", str(config), "--out", str(out), "--shard", "2/2"]) == 0
    assert recorded(out) == set(ids(config))


def test_what_other_tasks_train_is_left_to_them(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert fit(["--config", str(config), "--out", str(out), "--shard", "1/4"]) == 0
    other = Locks(out)
    taken = [run for run in ids(config) if run not in recorded(out)][1:]
    assert all(map(other.take, taken))
    for _ in range(2):
        assert fit(["--config", str(config), "--out", str(out)]) == 0
        assert "other tasks train the last 2 runs" in capsys.readouterr().out
        assert recorded(out) == set(ids(config)) - set(taken)


def test_with_wait_what_another_task_leaves_is_trained(config: Path, tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    assert fit(["--config", str(config), "--out", str(out), "--shard", "1/2"]) == 0
    other = Locks(out)
    for run in ids(config):
        other.take(run)
    process = fit_process(["--config", str(config), "--out", str(out), "--wait"], log)
    said = "waiting for 2 runs that other tasks train"
    wait_for(lambda: log.exists() and said in log.read_text())
    other.close()
    process.join(60)
    assert process.exitcode == 0, log.read_text()
    assert recorded(out) == set(ids(config))


def _refused() -> None:
    def refuse(*_: Any) -> bytes:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    fcntl.fcntl = refuse  # type: ignore[assignment]


def _granted_to_everybody() -> None:
    Locks._lock = lambda self, name, kind: True  # type: ignore[method-assign]
    Locks.held = lambda self, name: False  # type: ignore[method-assign]


@pytest.mark.slow
@pytest.mark.parametrize("locking", [_refused, _granted_to_everybody])
def test_where_locks_exclude_nobody_runs_may_be_trained_twice_and_nothing_else_follows(
    locking: Callable[[], None], whole: Trial, tmp_path: Path
) -> None:
    trial = Trial(tmp_path, ("--stack", "1"))
    processes = [trial.start(prepare=locking) for _ in range(2)]
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0], trial.said()
    same(whole, trial)
    assert not list(trial.out.glob("checkpoints/*"))
