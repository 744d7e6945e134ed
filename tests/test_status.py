"""A study's status, in counts, by task, and as an exit status."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from helpers import SMALL, fit_process, small_run
from test_tasks import elsewhere

from study import status
from study.fit import main as fit
from study.records.writing import Folder
from study.runs.command_line import read
from study.runs.config import study_yaml
from study.sharing import tasks
from study.sharing.locks import Claims
from study.sharing.tasks import Task
from study.status import DONE, STILL_TRAINING, STOPPED, in_words, look, main, shown


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


def record(folder: Path, run: str, status: str, epochs: int = 6) -> None:
    row = {"run": run, "status": status, "epochs": epochs}
    Folder(folder, "small").write_part([row], [{"run": run, "epoch": 0}])


def test_runs_are_counted_by_what_became_of_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted, training, lost, waiting = ids(folder)
    record(folder, fitted, "fitted", epochs=4)
    record(folder, small_run(seed=99).id, "diverged")  # of an earlier config
    with Task(folder) as gone:
        Claims(folder, gone).take(lost)
    with Task(folder, "1/2") as task:
        Claims(folder, task).take(training)
        task.progress({training: 3}, ended=1, epochs=7)
        task._write()
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
    assert task.name in printed
    assert "time left: less than a minute" in printed
    assert waiting in ids(folder)


def test_nobody_trains_and_runs_are_left(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fitted, *_ = ids(folder)
    assert main([str(folder)]) == STOPPED
    assert "no task has begun yet; missing:\n" in capsys.readouterr().out
    record(folder, fitted, "fitted")
    assert main([str(folder), "--watch"]) == STOPPED
    said = capsys.readouterr().out
    assert "nobody trains: start the same command again" in said
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


@pytest.mark.parametrize("step", ["claimed", "judged", "part_columns"])
def test_a_study_that_ends_while_it_is_looked_at_is_not_one_that_nobody_trains(
    step: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *others, last = ids(folder)
    for run in others:
        record(folder, run, "fitted")
    task = Task(folder)
    task.__enter__()
    Claims(folder, task).take(last)
    real = getattr(status, step)

    def ends_before(*arguments: Any) -> Any:
        record(folder, last, "fitted")
        Claims(folder, task).release([last])
        task.__exit__(None, None, None)
        return real(*arguments)

    monkeypatch.setattr(status, step, ends_before)
    assert look(folder).exit_status in (DONE, STILL_TRAINING)


@pytest.mark.parametrize(("age", "state"), [(0, "training"), (1_000, "lost")])
def test_a_task_of_another_machine_is_lost_when_its_file_is_old(
    age: int, state: str, folder: Path
) -> None:
    details: dict[str, Any] = {"task": "far", "share": "1/1", "runs": {}, "ended": 0, "epochs": 0}
    elsewhere(folder, "far", 1, **details, seconds=1.0)
    then = time.time() - age
    os.utime(folder / "tasks" / "far.json", (then, then))
    assert [task["state"] for task in look(folder).tasks] == [state]


def test_of_many_tasks_those_that_ended_are_only_counted(folder: Path) -> None:
    content = {"task": "t", "share": "1/1", "runs": {}, "ended": 0, "epochs": 0, "seconds": 1.0}
    for number in range(100):
        done = {**content, **tasks.identity(), "beat": 1, "began": number, "state": "done"}
        path = folder / "tasks" / f"t{number}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(done))
    from rich.console import Console

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
