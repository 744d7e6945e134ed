"""An arm's colour and dashes follow from the study's config, not from which run ended first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from many_arms import VARIED, many_arms
from records import records

from reports.arm_styles import ArmStyle, arm_styles
from reports.read import Records
from reports.style import COLOURS, DASHES
from study.runs.study import Study


@pytest.fixture(scope="module")
def made() -> Records:
    return many_arms()


def shuffled(runs: pd.DataFrame) -> pd.DataFrame:
    return runs.sample(frac=1, random_state=3)


def backwards(runs: pd.DataFrame) -> pd.DataFrame:
    return runs.iloc[::-1]


@pytest.mark.parametrize("order", [shuffled, backwards])
def test_the_order_of_the_records_decides_no_style(
    made: Records, order: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    assert arm_styles(replace(made, runs=order(made.runs))) == arm_styles(made)


def test_the_order_decides_no_style_of_values_that_the_config_lacks(made: Records) -> None:
    bare = {folder: {"name": config["name"]} for folder, config in made.studies.items()}
    without = replace(made, studies=bare)
    assert arm_styles(replace(without, runs=backwards(made.runs))) == arm_styles(without)


def test_an_unfinished_study_has_the_styles_that_it_will_end_with(made: Records) -> None:
    last = made.runs.drop_duplicates(["study", "arm"]).groupby("study").tail(3)
    some = arm_styles(replace(made, runs=last))
    whole = arm_styles(made)
    assert len(some) == 9
    assert some == {arm: whole[arm] for arm in some}


def test_a_damaged_config_has_styles(made: Records) -> None:
    lists = {"data.label_noise": ["much", None, [], *[0] * 1000], "a": [*range(1000)], "b": [{}]}
    damaged = made.studies | {"results/inputs": {"name": "inputs", "vary": lists}}
    found = arm_styles(replace(made, studies=damaged))
    assert found.keys() == arm_styles(made).keys()


def test_arms_that_differ_in_their_colours_facts_have_the_same_dashes(made: Records) -> None:
    styles = arm_styles(replace(made, runs=shuffled(made.runs)))
    for inputs in ("shuffled_pixels", "random_pixels", "gaussian"):
        for noise in VARIED["inputs"]["data.label_noise"]:
            style = styles["inputs", f"inputs {inputs}, label_noise {noise}"]
            assert style.dashes == DASHES[noise]
    for rule in VARIED["softmax"]["model.backward"]:
        found = [
            styles["softmax", f"loss {loss}, backward {rule}, lr {rate}"].dashes
            for loss in ("cross_entropy", "squared_error")
            for rate in (0.001, 0.01)
        ]
        assert found == list(DASHES[:4])


def of_study(vary: dict[str, list[Any]]) -> dict[str, ArmStyle]:
    """Return the styles of a study's arms whose runs ended last arm first."""
    study = Study.of({"vary": vary})
    made = records(1, study.arms[::-1], lambda *_: {}, epochs=[0])
    config = {"made": {"name": "made", "vary": vary}}
    made = replace(made, studies=config, varied={"made": study.varied})
    return {arm: style for (_, arm), style in arm_styles(made).items()}


def test_whole_optimizers_have_the_order_of_the_config() -> None:
    paths = ["torch.optim.SGD", "torch.optim.Adam"]
    styles = of_study({"optimizer": [{"class_path": path, "lr": 0.1} for path in paths]})
    for path, colour in zip(paths, COLOURS, strict=False):
        assert styles[f"optimizer.class_path {path}"] == (colour, "")


def test_dashes_repeat_after_their_number() -> None:
    rates = [0.001 * (1 + number) for number in range(len(DASHES) + 1)]
    styles = of_study({"model.backward": ["jacobian", "identity"], "optimizer.lr": rates})
    for rule in ("jacobian", "identity"):
        found = [styles[f"model.backward {rule}, optimizer.lr {rate}"].dashes for rate in rates]
        assert found == [*DASHES, DASHES[0]]


def test_a_ninth_value_has_the_first_ones_colour_and_other_dashes() -> None:
    rates = [0.001 * (1 + number) for number in range(len(COLOURS) + 1)]
    styles = of_study({"optimizer.lr": rates})
    first, last = (styles[f"optimizer.lr {rate}"] for rate in (rates[0], rates[-1]))
    assert first == (COLOURS[0], DASHES[0])
    assert last == (COLOURS[0], DASHES[1])
