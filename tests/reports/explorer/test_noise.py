"""When an example was learned, and what the view of label noise holds."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import study
from reports.explorer.answers import learned_at
from reports.explorer.noise import noise_levels
from reports.explorer.sprites import STEP, Sprites
from reports.read import read
from study.records.predictions import load_predictions


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_an_example_is_learned_once_all_later_answers_are_right(right: list[bool]) -> None:
    epochs = np.arange(len(right)) * 5
    (found,) = learned_at(np.array(right)[:, None], epochs)
    since = [epoch for number, epoch in enumerate(epochs) if all(right[number:])]
    assert found == (since[0] if since else None)


def test_levels_and_the_wall_are_what_was_recorded(results: Path) -> None:
    records, sprites = read([results]), Sprites()
    found = noise_levels(records, sprites)
    assert found is not None
    assert [each["noise"] for each in found["levels"]] == [0, 1]
    runs, history = study.load(results)
    noisy = found["levels"][1]
    wall = noisy["wall"]
    (run,) = runs[runs["run"] == wall["run"]].to_dict("records")
    its = load_predictions(results, [run["run"]])
    its = its[its["part"] == "train"].reset_index(drop=True)
    redrawn = its[its["label"] != its["true_label"]]
    kept = records.images[redrawn["images"].iloc[0]]
    (sheet,) = sprites.pictures()
    assert (sheet["height"], sheet["width"]) == (8, 8)
    picture = np.asarray(
        Image.open(io.BytesIO(base64.b64decode(sheet["address"].split(",")[1]))).convert("L")
    )
    for place, (_, row) in zip(wall["place"], redrawn.iterrows(), strict=True):
        top, left = 8 * (place // sheet["columns"]), 8 * (place % sheet["columns"])
        gap = picture[top : top + 8, left : left + 8].ravel() - kept[int(row["place"])].astype(
            float
        )
        assert abs(gap).max() <= STEP / 2 + 0.5
        assert sheet["true"][place] == row["true_label"]
    assert wall["given"] == list(redrawn["label"])
    right = (redrawn["said"] == redrawn["label"]).to_list()
    assert [epoch is not None for epoch in wall["learned"]] == right
    backward = run["model.backward"]
    same = runs[(runs["data.label_noise"] == 1) & (runs["model.backward"] == backward)]
    last = history[history["run"].isin(same["run"])].groupby("run").last()
    assert noisy["seeds"] == len(same) == 6
    assert noisy["curves"]["test"][-1] == pytest.approx(last["test_accuracy"].mean(), abs=1e-4)
