"""The images of a pinned run are those of its recorded answers."""

from __future__ import annotations

import base64
import dataclasses
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import study
from reports.explorer import pinned
from reports.explorer.pinned import EMPTY, HEAD, SHOWN, STEPS, all_answers
from reports.explorer.sprites import Sprites
from reports.read import read
from study.fit import main as fit
from study.records.predictions import load_predictions

DESTROYED = """
name: destroyed
seeds: 1
data: {dataset: digits, train_examples: 200, inputs: random_pixels}
model: {hidden: [16]}
trainer: {max_epochs: 2}
"""


def unpacked(found: dict[str, Any], number: int) -> NDArray[np.uint16]:
    """Return all fields, [run, field]."""
    planes = np.frombuffer(gzip.decompress(base64.b64decode(found["values"])), np.uint8)
    values = np.ascontiguousarray(planes.reshape(2, -1).T).view("<u2").ravel()
    return values.reshape(-1, number).T


def last_answers(results: Path, run: str) -> pd.DataFrame:
    its = load_predictions(results, [run])
    return its[its["part"] == "train"].reset_index(drop=True)


def shown(fields: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return a run's images, [image, field]."""
    its = fields[HEAD:].reshape(4, SHOWN).T
    return its[its[:, 0] != EMPTY]


def test_a_runs_images_are_its_wrong_answers_first(results: Path) -> None:
    sprites, runs = Sprites(), study.load(results).runs
    ids = list(runs["run"])
    found = all_answers(read([results]), ids, sprites)
    fields, (sheet,) = unpacked(found, len(ids)), sprites.pictures()
    for run, its in zip(runs.to_dict("records"), fields, strict=True):
        recorded = last_answers(results, run["run"])
        assert its[0] == len(recorded) == 200
        pictures = shown(its)
        if run["seed"] == 0:  # the study keeps its images
            assert its[1] == 200
            assert len(pictures) == SHOWN
        else:  # where another seed has kept the image of an example
            assert 0 < its[1] < 200
        given = [int(g) - 1 if g else sheet["true"][place] for place, g, *_ in pictures]
        said = [int(s) - 1 if s else label for label, s in zip(given, pictures[:, 2], strict=True)]
        percent = pictures[:, 3] / STEPS
        rows = set(zip(recorded["true_label"], recorded["label"], recorded["said"], strict=True))
        true = [sheet["true"][place] for place in pictures[:, 0]]
        assert rows.issuperset(zip(true, given, said, strict=True))
        wrong = [a != b for a, b in zip(given, said, strict=True)]
        assert wrong == sorted(wrong, reverse=True)
        if run["seed"] == 0:
            number = int((recorded["label"] != recorded["said"]).sum())
            assert sum(wrong) == min(number, SHOWN)
            lowest = recorded.loc[recorded["label"] != recorded["said"], "label_probability"].min()
            assert not number or percent[0] == pytest.approx(lowest, abs=0.5 / STEPS + 1e-6)


def test_a_study_that_keeps_no_answers_is_named(results: Path) -> None:
    records = read([results])
    (folder,) = records.studies
    off = {folder: {**records.studies[folder], "keep_predictions": False}}
    records = dataclasses.replace(records, studies=off, images={})
    found = all_answers(records, list(records.runs["run"]), Sprites())
    assert found["off"] == ["small"]
    fields = unpacked(found, len(records.runs))
    assert (fields[:, 1] == 0).all()  # without images there is nothing to show
    assert all(len(shown(its)) == 0 for its in fields)


def test_where_room_is_short_every_run_keeps_its_first_images(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other run asks for the images of destroyed inputs."""
    (tmp_path / "destroyed.yaml").write_text(DESTROYED)
    out = tmp_path / "destroyed"
    assert fit(["--config", str(tmp_path / "destroyed.yaml"), "--out", str(out)]) == 0
    records = read([results, out])
    ids = list(records.runs["run"])
    whole = unpacked(all_answers(records, ids, Sprites()), len(ids))
    assert (whole[:, 3] == 0).all()  # nothing was skipped
    monkeypatch.setattr(pinned, "MOST_BYTES", 5_000)
    fewer = unpacked(all_answers(records, ids, Sprites()), len(ids))
    at = ids.index(study.load(out).runs["run"].iloc[0])
    assert len(shown(whole[at])) == SHOWN
    assert 3 <= len(shown(fewer[at])) < SHOWN
    assert fewer[at, 3] == 1
    for full, its in zip(whole, fewer, strict=True):
        np.testing.assert_array_equal(shown(its)[:3, 1:], shown(full)[:3, 1:])
