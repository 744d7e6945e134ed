"""When an example was learned, and what the view of label noise holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import study
from reports.explorer.noise import learned_at, noise_levels
from reports.read import read
from study.records.predictions import load_predictions


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_an_example_is_learned_once_all_later_answers_are_right(right: list[bool]) -> None:
    epochs = np.arange(len(right)) * 5
    (found,) = learned_at(np.array(right)[:, None], epochs)
    since = [epoch for number, epoch in enumerate(epochs) if all(right[number:])]
    assert found == (since[0] if since else None)


def test_levels_and_the_wall_are_what_was_recorded(results: Path) -> None:
    found = noise_levels(read([results]))
    assert found is not None
    assert [each["noise"] for each in found["levels"]] == [0, 1]
    runs, history = study.load(results)
    noisy = found["levels"][1]
    wall = noisy["wall"]
    (run,) = runs[runs["run"] == wall["run"]].to_dict("records")
    its = load_predictions(results, [run["run"]])
    its = its[its["part"] == "train"].reset_index(drop=True)
    redrawn = its[its["label"] != its["true_label"]]
    assert wall["place"] == list(redrawn.index)
    assert wall["given"] == list(redrawn["label"])
    right = (redrawn["said"] == redrawn["label"]).to_list()
    assert [epoch is not None for epoch in wall["learned"]] == right
    backward = run["model.backward"]
    same = runs[(runs["data.label_noise"] == 1) & (runs["model.backward"] == backward)]
    last = history[history["run"].isin(same["run"])].groupby("run").last()
    assert noisy["seeds"] == len(same) == 6
    assert noisy["curves"]["test"][-1] == pytest.approx(last["test_accuracy"].mean(), abs=1e-4)
