"""The forest: each claim in its own units beside its numbers, in letters that can be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
from arms import claim, two_arms
from matplotlib.text import Text

from reports import wording
from reports.figures import forest
from reports.style import styled
from reports.verdicts import judge_all


def test_each_claim_has_its_own_units_beside_its_numbers() -> None:
    made: Any = two_arms(0.1, scale=0.02)
    asked = [
        claim(above=0),
        replace(claim(within=[-0.03, 0.03]), id="second"),
        replace(claim(above=0.5), id="third", effect="ratio"),
    ]
    found = judge_all(asked, made)
    table = forest.data(found)
    assert list(table["effect"]) == [each.mean for each in found]
    assert (table["low"] <= table["unadjusted_low"]).all()
    with styled("paper") as style:
        canvas = plt.figure(figsize=(style.text, 2))
        axes = forest.draw(found, canvas.gca())
        shown = [each for each in axes.findobj(Text) if each.get_text()]
        assert min(each.get_fontsize() for each in shown) >= 7
        texts = " ".join(each.get_text() for each in shown)
        canvas.canvas.draw()
        width, height = canvas.bbox.width, canvas.bbox.height
        for each in shown:
            box = each.get_window_extent()
            assert box.x0 >= 0
            assert box.x1 <= width
            assert box.y1 <= height
        plt.close(canvas)
    for each in found:
        assert wording.effect(each) in texts
    assert "units of what was asked" not in texts
    assert "0.5×" in texts


def test_without_verdicts_there_is_nothing_to_draw() -> None:
    assert forest.data([]).empty
