"""Readers see a training live, whatever a killed process or a full disk has left of its file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers import small_run

import study
from study.base.errors import LeftOut
from study.records.live import LiveFile, drop_rows, rows_of, tasks_of
from study.records.writing import Folder
from study.runs.progress import Progress

ONE, TWO = small_run(seed=1), small_run(seed=2)


def stack(training: Sequence[Progress], ended: Sequence[Progress] = ()) -> Any:
    return SimpleNamespace(training=training, ended=ended)


def at(progress: Progress, epoch: int, value: float = 0.5) -> Progress:
    progress.epoch = epoch
    progress.history.append({"run": progress.run.id, "epoch": epoch, "test_accuracy": value})
    return progress


def test_epochs_are_seen_as_they_come(tmp_path: Path) -> None:
    one, two = Progress(ONE), Progress(TWO)
    with LiveFile(tmp_path, "1/2") as live:
        live.epoch_ended(stack([at(one, 0), at(two, 0)]))
        live.epoch_ended(stack([at(one, 1)], [at(two, 1)]))
        (task,) = tasks_of(tmp_path)
        assert (task["task"], task["share"], task["state"]) == (live.name, "1/2", "training")
        assert (task["runs"], task["ended"], task["epochs"]) == ({ONE.id: 1}, 1, 4)
        seen = [(row["run"], row["epoch"]) for row in rows_of(tmp_path, but={TWO.id})]
        assert seen == [(ONE.id, 0), (ONE.id, 1)]
        live.state = "interrupted"
    (task,) = tasks_of(tmp_path)
    assert (task["state"], task["runs"]) == ("interrupted", {ONE.id: 1})
    # What ended is recorded elsewhere; what has not is still there.
    assert {row["run"] for row in rows_of(tmp_path, but=())} == {ONE.id}


def test_load_gives_unfinished_epochs_when_asked(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("name: small\n")
    one, two = Progress(ONE), Progress(TWO)
    with LiveFile(tmp_path) as live:
        live.epoch_ended(stack([at(one, 0), at(two, 0)]))
        assert study.load(tmp_path)[1].empty
        runs, history = study.load(tmp_path, unfinished=True)
        assert runs.empty
        assert sorted(history["run"]) == sorted([ONE.id, TWO.id])
        row = {"run": ONE.id, "seed": 1, "status": "fitted", "epochs": 0}
        Folder(tmp_path, "small").write_part([row], one.history)
        live.epoch_ended(stack([at(two, 1)], []))
        runs, history = study.load(tmp_path, unfinished=True)
        assert runs["run"].tolist() == [ONE.id]
        counts = history.groupby("run")["epoch"].apply(list).to_dict()
        assert counts == {ONE.id: [0], TWO.id: [0, 1]}
        assert len(study.load(tmp_path)[1]) == 1


def test_what_a_run_that_goes_on_has_behind_it_is_there_too(tmp_path: Path) -> None:
    resumed = Progress(ONE)
    for epoch in range(5):
        at(resumed, epoch)
    with LiveFile(tmp_path) as live:
        live.epoch_ended(stack([at(resumed, 5)]))
        assert [row["epoch"] for row in rows_of(tmp_path, but=())] == list(range(6))


def test_numbers_that_are_none_come_back(tmp_path: Path) -> None:
    with LiveFile(tmp_path) as live:
        live.epoch_ended(stack([at(Progress(ONE), 0, float("nan"))]))
        (row,) = rows_of(tmp_path, but=())
        assert row["test_accuracy"] != row["test_accuracy"]


@pytest.mark.parametrize("cut", [1, 7, 40_000])
def test_a_torn_last_line_is_left_out(cut: int, tmp_path: Path) -> None:
    many = [at(Progress(small_run(seed=seed)), 0) for seed in range(1_500)]
    live = LiveFile(tmp_path)
    live.__enter__()
    live.epoch_ended(stack([at(Progress(ONE), 3)]))
    live.epoch_ended(stack(many))
    assert len(tasks_of(tmp_path)[0]["runs"]) == 1_500  # a line longer than what is read at first
    with live.path.open("rb+") as file:
        file.truncate(live.path.stat().st_size - cut)
    assert tasks_of(tmp_path)[0]["runs"] == {ONE.id: 3}
    assert [row["epoch"] for row in rows_of(tmp_path, but=())] == [3]


def test_a_disk_that_is_full_stops_no_training_and_leaves_no_half_of_a_line(tmp_path: Path) -> None:
    one = Progress(ONE)
    with LiveFile(tmp_path) as live:
        live.path.unlink()
        live.path.symlink_to("/dev/full")
        live.epoch_ended(stack([at(one, 0)]))
        live.path.unlink()
        live._append(live._start)
        live.epoch_ended(stack([at(one, 1)]))
        assert [row["epoch"] for row in rows_of(tmp_path, but=())] == [0, 1]


def test_rows_of_recorded_runs_go_from_the_file_of_a_killed_task(tmp_path: Path) -> None:
    live = LiveFile(tmp_path)
    live.__enter__()
    live.epoch_ended(stack([at(Progress(ONE), 0), at(Progress(TWO), 0)]))
    before = tasks_of(tmp_path)
    drop_rows(tmp_path, live.name, of={ONE.id})
    assert tasks_of(tmp_path) == before
    assert [row["run"] for row in rows_of(tmp_path, but=())] == [TWO.id]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1, 2]\n",
        "null\n",
        "no json\n",
        '{"task": "../../x"}\n',
        json.dumps({"task": "0" * 12, "share": 3, "began": "soon"}) + "\n",
        "[" * 100_000 + "\n",
    ],
)
def test_a_file_that_is_something_else_is_left_out(text: str, tmp_path: Path) -> None:
    (tmp_path / "progress").mkdir()
    (tmp_path / "progress" / "x.jsonl").write_text(text)
    said = pytest.warns(LeftOut, match=r"x\.jsonl: no task's file")
    with said if "\n" in text else nullcontext():
        assert tasks_of(tmp_path) == []
    assert list(rows_of(tmp_path, but=())) == []
