"""Parts are merged without a moment in which a reader would miss or double a run."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import study
from study.records.predictions import LISTS, answers_table, load_predictions
from study.records.writing import Folder

TESTED = {**dict.fromkeys(LISTS), "part": "test", "at": "last", "epoch": 1}
TESTED |= {"said": np.arange(3), "label": np.arange(3), "confidence": np.ones(3, np.float16)}


def row(number: int) -> dict[str, Any]:
    run = {"run": f"run{number:03d}", "seed": number, "facts": "{}", "model.hidden": [number]}
    return {**run, "status": "finished"}


def write(folder: Folder, numbers: range) -> None:
    folder.begin("name: parts\n")
    for number in numbers:
        run = row(number)
        epochs = [{"run": run["run"], "epoch": epoch, "loss": 1 / (1 + epoch)} for epoch in (0, 1)]
        folder.write_part([run], epochs, [answers_table(run["run"], [TESTED], None)])


def test_merged_parts_hold_what_the_many_held(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "parts")
    write(folder, range(20))
    before = study.load(tmp_path)
    folder.merge()
    for kind in ("runs", "history", "answers"):
        assert len(list((tmp_path / kind).iterdir())) == 1
    for ours, theirs in zip(before, study.load(tmp_path), strict=True):
        pd.testing.assert_frame_equal(ours, theirs)
    assert len(load_predictions(tmp_path)) == 20 * 3
    write(folder, range(20, 22))
    folder.merge()
    assert len(study.load(tmp_path)[0]) == len(folder.ended()) == 22
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_what_cannot_be_read_is_neither_merged_nor_taken_away(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "parts")
    write(folder, range(3))
    torn = sorted((tmp_path / "history").iterdir())[0]
    torn.write_bytes(torn.read_bytes()[:-9])
    folder.merge()
    assert torn.exists()
    assert (tmp_path / "runs" / torn.name).exists()
    assert len(folder.ended()) == len(Folder(tmp_path, "parts").ended()) == 2


def test_a_reader_beside_a_merge_always_finds_every_run_once(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "parts")
    write(folder, range(40))
    over = threading.Event()
    found: list[tuple[int, int]] = []
    ended: list[int] = []

    def read() -> None:
        while not over.is_set():
            runs, history = study.load(tmp_path)
            found.append((len(runs), len(history)))
            ended.append(len(Folder(tmp_path, "parts").ended()))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reader = threading.Thread(target=read)
        reader.start()
        for last in range(40, 60, 4):
            folder.merge()
            write(folder, range(last, last + 4))
        over.set()
        reader.join()
    assert min(ended) >= 40
    assert found
    assert all(runs >= 40 and history == 2 * runs for runs, history in found)


def test_runs_are_found_that_are_merged_between_list_and_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, reader = Folder(tmp_path, "parts"), Folder(tmp_path, "parts")
    write(folder, range(5))
    real, first = study.records.parquet.read_part, iter([folder.merge])

    def read_part(path: Path, columns: Sequence[str] | None = None) -> Any:
        next(first, lambda: None)()
        return real(path, columns)

    monkeypatch.setattr(study.records.parquet, "read_part", read_part)
    assert len(reader.ended()) == 5
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_predictions_of_some_runs_are_read_from_the_parts_that_hold_them(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "parts")
    write(folder, range(4))
    said = load_predictions(tmp_path, {"run002", "none"})
    assert list(said["run"]) == ["run002"] * 3
    assert load_predictions(tmp_path, set()).empty


def test_two_tasks_that_recorded_the_same_runs_leave_each_other_s_parts_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "study.yaml").write_text("name: small\n")
    one, two = Folder(tmp_path, "small"), Folder(tmp_path, "small")
    one.writer, two.writer = "1" * 12, "2" * 12
    rows = [{"run": name, "seed": 0, "status": "fitted", "epochs": 0} for name in ("a", "b", "c")]
    for row in rows:
        for folder in (one, two):
            folder.write_part([row], [{"run": row["run"], "epoch": 0}])
    one.merge()
    assert len(list((tmp_path / "runs").iterdir())) == 4
    two.merge()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as of a part that is torn
        runs, history = study.load(tmp_path)
    assert runs["run"].tolist() == history["run"].tolist() == ["a", "b", "c"]
