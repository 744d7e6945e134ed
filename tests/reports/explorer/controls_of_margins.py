"""Checks of the controls of the view of margins and of the view of label noise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from explorer.controls import KEYBOARD, MOUSE, choose, opens, press, slide, works

import study
from study.records.predictions import load_predictions


def effects(results: Path) -> pd.Series:
    """Return what random labels cost each seed: the claim of the tests' report."""
    runs, history = study.load(results)
    last = history.groupby("run").last()["test_accuracy"]
    its = runs[runs["model.backward"] == "jacobian"].assign(value=runs["run"].map(last))
    wide = its.pivot_table(index="seed", columns="data.label_noise", values="value")
    return wide[0] - wide[1]


def said(page: Any) -> str:
    return str(page.locator("#margin-verdict").text_content())


def to_the_claim(page: Any) -> None:
    page.select_option("#margin-claim", "random-labels-cost-accuracy")


@works("#margin-claim")
def claims(page: Any, results: Path, by: str) -> None:
    options = page.locator("#margin-claim option")
    ids = [each.get_attribute("value") for each in options.all()]
    wanted = ids.index("random-labels-cost-accuracy")
    choose(page, "#margin-claim", by, wanted)
    assert page.locator("#margin-claim").input_value() == ids[wanted]
    assert f"{int((effects(results) > 0.05).sum())} of 6 seeds lie there" in said(page)


@works("#margin-low")
def first_margin(page: Any, results: Path, by: str) -> None:
    to_the_claim(page)
    slide(page, "#margin-low", by, 1)
    moved = float(page.locator("#margin-low").input_value())
    assert moved > effects(results).max()
    assert "refuted" in said(page)
    assert f"{int((effects(results) > moved).sum())} of 6 seeds lie there" in said(page)


@works("#margin-high")
def second_margin(page: Any, results: Path, by: str) -> None:
    """Of a claim that asks for an effect between two margins; the tests' report has one."""
    page.select_option("#margin-claim", "random-labels-cost-about-half")
    before, low = said(page), float(page.locator("#margin-low").input_value())
    slide(page, "#margin-high", by, 0)
    high = float(page.locator("#margin-high").input_value())
    assert said(page) != before
    inside = int(((effects(results) > low) & (effects(results) < high)).sum())
    assert f"{inside} of 6 seeds lie there" in said(page)


@works("#margin-reset")
def stated_margin(page: Any, results: Path, by: str) -> None:
    to_the_claim(page)
    slide(page, "#margin-low", KEYBOARD, 1)
    assert "margin=" in page.evaluate("location.href")
    press(page, "#margin-reset", by)
    assert "margin=" not in page.evaluate("location.href")
    assert float(page.locator("#margin-low").input_value()) == pytest.approx(0.05, abs=1e-6)


@works("#margin-picture .dot")
def seeds(page: Any, results: Path, by: str) -> None:
    to_the_claim(page)
    dot = page.locator('#margin-picture [data-seed="0"]')
    shown = float(dot.get_attribute("aria-label").split(": ")[1].replace("−", "-"))
    assert shown == pytest.approx(effects(results)[0], rel=6e-3)
    for pressed, key in (("true", "Enter"), ("false", " ")):
        dot.click() if by == MOUSE else dot.press(key)
        assert dot.get_attribute("aria-pressed") == pressed
        assert ("seed=0" in page.evaluate("location.href")) == (pressed == "true")
    if by == KEYBOARD:  # it was drawn again, and is where it was
        assert page.evaluate("document.activeElement.dataset.seed") == "0"


@works("#margin-table > summary")
def seeds_as_a_table(page: Any, results: Path, by: str) -> None:
    to_the_claim(page)
    opens(page, "#margin-table > summary", by)
    press(page, "#margin-table > summary", by)
    page.wait_for_selector("#margin-table tbody tr")
    cells = page.locator("#margin-table tbody tr td:nth-child(4)").all_text_contents()
    found = [float(cell.replace("−", "-")) for cell in cells]
    assert found == pytest.approx(list(effects(results)), rel=6e-3, abs=1e-3)


@works("#noise-level")
def levels(page: Any, results: Path, by: str) -> None:
    slide(page, "#noise-level", by, 0)
    assert "noise=0" in page.evaluate("location.href")
    runs, history = study.load(results)
    last = history.groupby("run").last()["test_accuracy"]
    its = runs[runs["data.label_noise"] == 0]
    means = [last[part["run"]].mean() for _, part in its.groupby("model.backward")]
    found = re.search(r"([\d.]+) on the test set", page.locator("#noise-words").text_content())
    assert found is not None
    assert min(abs(float(found[1]) - mean) for mean in means) < 1e-3


@works("#noise-wall, #noise-wall .tile")
def wall(page: Any, results: Path, by: str) -> None:
    tiles = page.locator("#noise-wall .tile")
    if by == MOUSE:
        tiles.nth(3).hover()
    else:
        tiles.first.focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        assert tiles.nth(3).evaluate("each => each === document.activeElement")
    label = tiles.nth(3).get_attribute("aria-label")
    given, true = map(int, re.findall(r"\d", label)[:2])
    detail = page.locator("#noise-detail").text_content()
    assert f"Given label {given}, true label {true}" in detail
    runs = study.load(results).runs
    noisy = runs[(runs["data.label_noise"] == 1) & (runs["seed"] == 0)]
    kept = load_predictions(results, noisy["run"])
    assert ((kept["label"] == given) & (kept["true_label"] == true)).any()
    redrawn = kept[(kept["part"] == "train") & (kept["label"] != kept["true_label"])]
    assert tiles.count() in redrawn.groupby("run").size().to_list()


@works("#noise-table > summary")
def levels_as_a_table(page: Any, results: Path, by: str) -> None:
    press(page, "#noise-table > summary", by)
    page.wait_for_selector("#noise-table tbody tr")
    rows = page.locator("#noise-table tbody tr").all_text_contents()
    assert len(rows) == 2
    assert "6" in page.locator("#noise-table tbody td:nth-child(2)").first.text_content()
    press(page, "#noise-table > summary", by)
    assert not page.locator("#noise-table").evaluate("each => each.open")
