"""Predictions are written small, and read as a row an example, those of old folders, too."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

import study
from study.records.once import read_parts
from study.records.parquet import concatenate, read_part
from study.records.predictions import answers_table, kind_of, load_predictions, pictured
from study.records.writing import Folder

FORMAT1 = Path(__file__).parents[1] / "data_folders" / "format1"
RNG = np.random.default_rng(0)


def on_test_set(at: str, epoch: int, number: int, classes: int = 10) -> dict[str, object]:
    labels = RNG.integers(0, classes, number)
    return {
        "part": "test",
        "at": at,
        "epoch": epoch,
        "example": None,
        "label": labels,
        "true_label": None,
        "said": labels,
        "confidence": RNG.beta(8, 1, number).astype(np.float16),
        "label_probability": None,
    }


def trained(epoch: int) -> dict[str, object]:
    numbers = np.arange(4)
    probability = np.full(4, epoch / 8, np.float16)
    row = {"part": "train", "at": None, "epoch": epoch, "example": 10 * numbers, "label": numbers}
    row |= {"true_label": numbers + 1, "said": numbers + epoch}
    return {**row, "label_probability": probability, "confidence": None}


def written(path: Path, *tables: object) -> Folder:
    folder = Folder(path, "small")
    folder.begin("name: small\n")
    for number, table in enumerate(tables):
        row = {"run": f"run{number}", "seed": number, "facts": "{}", "status": "finished"}
        folder.write_part([row], [{"run": row["run"], "epoch": 0}], [table])
    return folder


def test_answers_on_a_test_set_take_about_three_bytes_an_image(tmp_path: Path) -> None:
    written(tmp_path, answers_table("run0", [on_test_set("last", 3, 10_000)], None))
    (path,) = (tmp_path / "answers").iterdir()
    assert path.stat().st_size < 32_000
    table = read_part(path)
    assert table is not None
    types = {name: str(table[name].type.value_type) for name in ("said", "label", "confidence")}
    assert types == {"said": "uint8", "label": "uint8", "confidence": "halffloat"}


def test_what_was_written_is_read_example_by_example(tmp_path: Path) -> None:
    rows = [*map(trained, range(3)), on_test_set("last", 2, 3), on_test_set("fit", 1, 3)]
    other = [*map(trained, range(2)), on_test_set("last", 1, 300, classes=300)]
    tables = [answers_table("run0", rows, "abc"), answers_table("run1", other, None)]
    folder = written(tmp_path, *tables)
    for merged in (False, True):
        if merged:  # one with answers of two bytes
            folder.merge()
        last = load_predictions(tmp_path, {"run0"})
        assert last["part"].tolist() == ["train"] * 4 + ["test"] * 3
        assert last["epoch"].tolist() == [2] * 7
        assert last["example"].tolist() == [0, 10, 20, 30, 0, 1, 2]
        assert last["said"].tolist()[:4] == [2, 3, 4, 5]
        assert last["label_probability"].tolist()[:4] == [0.25] * 4
        assert last["confidence"].tolist()[4:] == rows[3]["confidence"].tolist()
        assert last["true_label"].tolist()[4:] == last["label"].tolist()[4:]
        assert last["images"].tolist()[:4] == ["abc"] * 4
        assert last["place"].tolist()[:4] == [0, 1, 2, 3]
        assert last[["images", "place"]][4:].isna().all(axis=None)
        fit = load_predictions(tmp_path, at="fit")
        assert set(fit["run"]) == {"run0"}
        assert set(fit["epoch"]) == {1}
        assert len(load_predictions(tmp_path, at=0)) == 2 * 4
        assert load_predictions(tmp_path, at="best").empty
        of_other = load_predictions(tmp_path, {"run1"})
        assert of_other["label"].max() > 255
        assert of_other["images"].isna().all()
        assert pictured(tmp_path, {"abc"}) == {"run0"}
    with pytest.raises(study.BadInput, match="at: expected one of last, fit, best, or an epoch"):
        load_predictions(tmp_path, at="first")


def test_predictions_of_the_first_format_are_read_beside_new_ones(tmp_path: Path) -> None:
    shutil.copytree(FORMAT1, tmp_path / "out")
    old = load_predictions(FORMAT1)
    assert set(old["at"]) == {"last"}
    assert math.isnan(old["label_probability"].max())
    assert load_predictions(FORMAT1, at="fit").empty
    (tables,) = read_parts(FORMAT1, ["predictions"]).values()
    assert kind_of(concatenate(tables)) == "predictions"
    folder = Folder(tmp_path / "out", "format1")
    row = {"run": "new", "seed": 9, "facts": "{}", "status": "finished"}
    table = answers_table("new", [trained(1), on_test_set("last", 1, 3)], None)
    folder.write_part([row], [{"run": "new", "epoch": 1}], [table])
    both = load_predictions(tmp_path / "out")
    assert len(both) == len(old) + 7
    assert pictured(tmp_path / "out", set(old["images"].dropna())) == set(old["run"])
