"""A study's status, in counts, by task, and as an exit status."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from helpers import SMALL, fit_process, small_run
from rich.console import Console

import study
from study.fit import main as fit
from study.fitting import standing
from study.fitting.standing import look
from study.records.live import LiveFile
from study.records.writing import Folder
from study.runs.command_line import read
from study.runs.config import study_yaml
from study.sharing.locks import Locks
from study.status import main
from study.terminal.study_status import DONE, STILL_TRAINING, STOPPED, in_words, shown
from study.verify import main as verify


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a study of four runs, of which none was trained."""
    config = tmp_path / "small.yaml"
    config.write_text(SMALL)
    study = read(["--config", str(config)]).study
    Folder(tmp_path / "out", study.name).begin(study_yaml(study))
    return tmp_path / "out"


def ids(folder: Path) -> list[str]:
    return [run.id for run in read(["--config", str(folder / "study.yaml")]).study.runs]


@contextmanager
def training_task(
    folder: Path, runs: Mapping[str, int], ended: int = 0, epochs: int = 0
) -> Iterator[str]:
    """Train some runs as a task does that lives, as far as others see; gives its name."""
    locks = Locks(folder)
    with LiveFile(folder, "1/2") as live, closing(locks):
        for name in (live.name, *runs):
            assert locks.take(name)
        live._runs, live._ended, live._epochs = dict(runs), ended, epochs
        live._append(live._summary())
        yield live.name


def killed(folder: Path, runs: Mapping[str, int]) -> None:
    """Leave what a task leaves that was killed."""
    live = LiveFile(folder)
    live.__enter__()
    live._runs = dict(runs)
    live._append(live._summary())


def record(folder: Path, run: str, status: str, epochs: int = 6) -> None:
    row = {"run": run, "seed": 0, "status": status, "epochs": epochs}
    Folder(folder, "small").write_part([row], [{"run": run, "epoch": 0}])


def test_runs_are_counted_by_what_became_of_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted, training, lost, waiting = ids(folder)
    record(folder, fitted, "fitted", epochs=4)
    record(folder, small_run(seed=99).id, "diverged")  # of an earlier config
    killed(folder, {lost: 2})
    with training_task(folder, {training: 3}, ended=1, epochs=7) as task:
        status = look(folder)
        assert main([str(folder)]) == STILL_TRAINING
    assert (status.ended, status.training, status.lost, status.waiting, status.other) == (
        {"fitted": 1},
        1,
        1,
        1,
        1,
    )
    # 4 epochs a run, as the one that ended: 1 left of the one that trains, 4 of each other.
    rate = 7 / status.tasks[-1]["seconds"]
    assert status.seconds_left == pytest.approx(9 / rate)
    printed = capsys.readouterr().out
    assert "small: 1 of 4 runs done (1 fitted)" in printed
    assert "1 training, 1 waiting, 1 lost; 1 recorded of earlier configs" in printed
    assert task in printed
    assert "time left: less than a minute" in printed
    assert waiting in ids(folder)


def test_nobody_trains_and_runs_are_left(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fitted, *_ = ids(folder)
    assert main([str(folder)]) == STOPPED
    assert "no task has begun yet; missing:\n" in capsys.readouterr().out
    record(folder, fitted, "fitted")
    assert main([str(folder), "--watch"]) == STOPPED
    said = capsys.readouterr().out
    assert "no task trains: start the same command again" in said
    assert "label_noise 0: seeds 1\n" in said
    assert "label_noise 1: seeds 0–1\n" in said


def test_a_killed_task_is_lost_until_the_next_start(folder: Path, tmp_path: Path) -> None:
    argv = ["--config", str(folder / "study.yaml"), "--out", str(folder)]
    process = fit_process([*argv, "--trainer.max_epochs", "100"], tmp_path / "log")
    while not list((folder / "checkpoints").glob("*")):
        time.sleep(0.05)
        assert process.is_alive(), (tmp_path / "log").read_text()
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    status = look(folder)
    assert (status.lost, status.exit_status) == (4, STOPPED)
    assert [task["state"] for task in status.tasks] == ["lost"]
    assert fit(argv) == 0
    assert main([str(folder), "--watch"]) == DONE


@pytest.mark.parametrize("step", ["judged", "held_runs", "ended_runs"])
def test_a_study_that_ends_while_it_is_looked_at_is_not_one_that_nobody_trains(
    step: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *others, last = ids(folder)
    for run in others:
        record(folder, run, "fitted")
    task = training_task(folder, {last: 3})
    task.__enter__()
    real = getattr(standing, step)

    def ends_before(*arguments: Any) -> Any:
        record(folder, last, "fitted")
        task.__exit__(None, None, None)
        return real(*arguments)

    monkeypatch.setattr(standing, step, ends_before)
    assert look(folder).exit_status in (DONE, STILL_TRAINING)


def remove(path: Path) -> None:
    path.unlink()


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [remove, tear, empty])
@pytest.mark.parametrize("kind", ["runs", "history"])
@pytest.mark.filterwarnings("ignore:.*not a whole part")
def test_status_load_and_the_next_start_count_the_same_runs(
    kind: str, damage: Callable[[Path], None], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, *_ = ids(folder)
    record(folder, first, "fitted")
    (part,) = (folder / kind).iterdir()
    record(folder, second, "fitted")
    damage(part)
    assert look(folder).ended == {"fitted": 1}
    assert study.load(folder)[0]["run"].tolist() == [second]
    assert Folder(folder, "small").ended() == {second}
    assert fit(["--config", str(folder / "study.yaml"), "--out", str(folder), "--plan"]) == 0
    assert "4 runs (2 arms x 2 seeds), 1 of them already recorded" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "exit_status", "line"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), 2, "permission to read it (r)"),
        (OSError(errno.EIO, "Input/output error"), 1, "Input/output error"),
        (OSError(errno.EMFILE, "Too many open files"), 1, "Too many open files"),
    ],
)
@pytest.mark.parametrize("kind", ["runs", "history"])
def test_a_record_that_cannot_be_read_is_one_line_and_nothing_is_trained_over_it(
    kind: str,
    error: OSError,
    exit_status: int,
    line: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for run in ids(folder):
        record(folder, run, "fitted")
    part = min((folder / kind).iterdir())
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    real = pq.ParquetFile

    def open_part(opened: Any, **how: Any) -> Any:
        if Path(opened.name) == part:
            raise error
        return real(opened, **how)

    monkeypatch.setattr(pq, "ParquetFile", open_part)
    commands = {
        "fit": lambda: fit(["--config", str(folder / "study.yaml"), "--out", str(folder)]),
        "status": lambda: main([str(folder)]),
        "verify": lambda: verify([str(folder)]),
    }
    for name, command in commands.items():
        assert command() == exit_status
        (said,) = capsys.readouterr().err.splitlines()
        assert said.startswith(f"study.{name}: ")
        assert str(part) in said
        assert line in said
    with pytest.raises((study.BadInput, OSError), match=re.escape(line)):
        study.load(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("where", "mode", "missing"),
    [
        ("history/{part}", 0o000, "history/{part}: expected permission to read it (r)"),
        ("runs/{part}", 0o200, "runs/{part}: expected permission to read it (r)"),
        ("runs", 0o300, "runs: expected permission to read it (r)"),
        ("history", 0o600, "history: expected permission to enter it (x)"),
        ("study.yaml", 0o000, "study.yaml: expected permission to read it (r)"),
    ],
)
def test_a_missing_permission_is_named(
    where: str, mode: int, missing: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in ids(folder):
        record(folder, run, "fitted")
    config = folder.parent / "small.yaml"
    part = min((folder / "runs").iterdir()).name
    path = folder / where.format(part=part)
    kept = path.stat().st_mode
    path.chmod(mode)
    if os.access(path, os.R_OK | os.X_OK if path.is_dir() else os.R_OK):
        pytest.skip("permissions do not apply to root")
    try:
        assert main([str(folder)]) == 2
        assert missing.format(part=part) in capsys.readouterr().err
        assert fit(["--config", str(config), "--out", str(folder)]) == 2
        assert missing.format(part=part) in capsys.readouterr().err
    finally:
        path.chmod(kept)
    assert look(folder).exit_status == DONE


def test_where_the_file_system_refuses_to_lock_a_task_is_taken_at_its_word(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> bytes:
        raise OSError(errno.ENOLCK, "No locks available")

    run, *_ = ids(folder)
    with training_task(folder, {run: 3}):
        monkeypatch.setattr("study.sharing.locks.fcntl.fcntl", refuse)
        status = look(folder)
        assert (status.training, status.lost, status.exit_status) == (1, 0, STILL_TRAINING)
        monkeypatch.undo()


def test_of_many_tasks_those_that_ended_are_only_counted(folder: Path) -> None:
    for _ in range(100):
        with LiveFile(folder):
            pass
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(shown(look(folder)))
    said = console.export_text()
    assert "100 tasks, of which 100 ended" in said
    assert said.count("\n") < 10


def test_what_is_no_study_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "study.status: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "not known yet"), (12.0, "less than a minute"), (7_500.0, "about 2 h 05 min")],
)
def test_times_in_words(seconds: float | None, words: str) -> None:
    assert in_words(seconds) == words
