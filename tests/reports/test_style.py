"""Every colour can be seen on white and on black, and an arm keeps its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.arm_styles import RULES, arm_styles
from reports.read import read
from reports.style import COLOURS, DARK_PAPER, STYLES, contrast, dark, noise_colour


@pytest.mark.parametrize("colour", COLOURS)
def test_each_colour_has_contrast_on_both_papers(colour: str) -> None:
    assert contrast(colour, "#ffffff") >= 4.5
    assert contrast(dark(colour), DARK_PAPER) >= 4.5


@given(st.floats(0, 1))
def test_noise_has_contrast_on_both_papers(level: float) -> None:
    assert contrast(noise_colour(level), "#ffffff") >= 3
    assert contrast(dark(noise_colour(level)), DARK_PAPER) >= 3


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_text_in_a_paper_has_at_least_seven_points_at_five_and_a_half_inches() -> None:
    paper = STYLES["paper"]
    assert paper.text <= 5.5
    assert paper.font - 1 >= 7


def test_noise_has_a_scale_and_rules_have_dashes_beside_it(results: Path) -> None:
    styles = arm_styles(read([results]))
    assert len(styles) == len(set(styles.values())) == 4
    for (_, arm), style in styles.items():
        assert style.colour == noise_colour(1.0 if "label_noise 1" in arm else 0.0)
    assert len(set(RULES.values())) == len(RULES)
