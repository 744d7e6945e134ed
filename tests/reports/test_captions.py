"""A caption says how many seeds there are, which network and data, and what the bands are."""

from __future__ import annotations

from pathlib import Path

from reports.captions import arms_of
from reports.drawing import describe
from reports.read import read


def test_a_caption_counts_the_runs_that_are_drawn(results: Path) -> None:
    drawn, table = describe("memorization", read([results]), [])
    assert table["run"].nunique() == 12
    assert "12 runs, 6 seeds an arm; data digits; hidden layers [16]" in drawn.caption
    assert "bar: its 95 % interval" in drawn.caption
    assert "\n" not in drawn.caption


def test_a_caption_counts_the_runs_of_curves_that_were_averaged(results: Path) -> None:
    drawn, table = describe("time_to_fit", read([results]), [])
    assert "run" not in table
    assert "12 runs, 6 seeds an arm" in drawn.caption


def test_a_figure_of_other_runs_than_each_arm_s_first_names_its_arms(results: Path) -> None:
    records = read([results])
    last = records.runs.groupby("arm").tail(1)
    (arm,) = last["arm"].iloc[:1]
    assert arms_of(last.iloc[:1], records) == f"Of small: 1 of 4 arms, those with {arm}"
    (left_out,) = last["arm"].iloc[3:]
    assert arms_of(last.iloc[:3], records) == f"Of small: 3 of 4 arms, all but ({left_out})"
