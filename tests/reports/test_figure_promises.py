"""Every figure in the table keeps what figures promise, on records that try to break it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from many_arms import VARIED, claims, many_arms
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.text import Text

from reports.arm_styles import arm_colours
from reports.captions import caption_of, runs_of
from reports.drawing import drawn_on_canvas
from reports.figures import FIGURES, Figure, figure
from reports.read import Records
from reports.style import styled
from reports.verdicts import Verdict, judge_all
from study.terminal.arms import arm_label

INKS = ("#4d4d4d", "#666666")  # of a legend's entry that stands for no arm
NOT_LINES = ("forest", "gallery")  # the one has letters and strips, the other images


class Drawing(NamedTuple):
    """A figure as a paper has it."""

    name: str
    its: Figure
    table: pd.DataFrame
    axes: Any

    @property
    def legend(self) -> list[tuple[str, Any]]:
        legend = self.axes.get_legend()
        if legend is None:
            return []
        texts = [text.get_text() for text in legend.get_texts()]
        return list(zip(texts, legend.legend_handles, strict=True))


@pytest.fixture(scope="module")
def made() -> Records:
    return many_arms()


@pytest.fixture(scope="module")
def verdicts(made: Records) -> list[Verdict]:
    return judge_all(claims(), made)


@pytest.fixture(scope="module", params=list(FIGURES))
def drawing(request: Any, made: Records, verdicts: list[Verdict]) -> Iterator[Drawing]:
    its = figure(request.param)
    shown = its.shown(made, verdicts)
    with styled("paper") as sizes:
        canvas = drawn_on_canvas(its, shown, sizes)
        canvas.canvas.draw()
        yield Drawing(request.param, its, its.data(shown), canvas.gca())
        plt.close(canvas)


def test_the_records_have_something_for_every_figure(drawing: Drawing) -> None:
    assert len(drawing.table)


def test_a_caption_has_number_band_network_and_data(drawing: Drawing, made: Records) -> None:
    caption = caption_of(drawing.its, drawing.table, made)
    runs = runs_of(drawing.table, made)
    assert drawing.its.band
    assert drawing.its.band in caption
    assert f"{len(runs)} run" in caption
    seeds = runs.groupby(["study", "arm"])["seed"].nunique()
    low, high = seeds.min(), seeds.max()
    assert f"{low} seed" in caption if low == high else f"{low} to {high} seeds an arm" in caption
    for words, key in (("data {}", "data.dataset"), ("hidden layers {}", "model.hidden")):
        assert words.format(" or ".join(map(str, runs[key].unique()))) in caption


def test_a_caption_counts_exactly_the_runs_that_are_drawn(
    drawing: Drawing, made: Records, verdicts: list[Verdict]
) -> None:
    if drawing.its.of_verdicts:
        judged = {run for each in verdicts for run in each.runs.to_numpy().ravel()}
        assert set(runs_of(drawing.table, made)["run"]) == judged
        return
    assert "run" in drawing.table or "runs" in drawing.table.attrs
    drawn = set(runs_of(drawing.table, made)["run"])
    assert shown_of(drawing, only(made, drawn)).equals(without_counts(drawing.table))
    fewer = shown_of(drawing, only(made, drawn - {min(drawn)}))
    assert not fewer.equals(without_counts(drawing.table))


def only(made: Records, runs: set[str]) -> Records:
    kept = replace(
        made,
        runs=made.runs[made.runs["run"].isin(runs)].reset_index(drop=True),
        history=made.history[made.history["run"].isin(runs)].reset_index(drop=True),
    )
    kept._found["last"] = made.right("last")
    return kept


def shown_of(drawing: Drawing, records: Records) -> pd.DataFrame:
    return without_counts(drawing.its.data(records))


def without_counts(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without the number of runs that it leaves out."""
    return table.drop(columns="diverged", errors="ignore").reset_index(drop=True)


def test_a_caption_says_which_arms_are_drawn(drawing: Drawing, made: Records) -> None:
    caption = caption_of(drawing.its, drawing.table, made)
    runs = runs_of(drawing.table, made)
    for study, its in runs.groupby("study"):
        assert str(study) in caption.partition("Of ")[2]
        there = made.runs.loc[made.runs["study"] == study, "arm"].unique()
        if drawing.its.of_verdicts or its["arm"].nunique() == len(there):
            continue
        named = [arm for arm in there if arm in caption]
        left = set(there) - set(its["arm"])
        shared = [key for key in VARIED[str(study)] if len(set(its[key])) == 1]
        assert set(named) in (set(its["arm"]), left) or (
            f"those with {arm_label({key: its[key].iloc[0] for key in shared})}" in caption
        )


def test_a_caption_says_how_many_claims_are_left_out(made: Records) -> None:
    found = judge_all(claims(), made)
    caption = caption_of(figure("forest"), figure("forest").data(found), made)
    assert "2 of 3 claims: the others were not run." in caption


def test_text_has_at_least_seven_points_and_is_not_cut(drawing: Drawing) -> None:
    canvas = drawing.axes.figure
    assert canvas.get_figwidth() <= 5.5
    texts = [t for t in canvas.findobj(Text) if t.get_text() and t.get_visible()]
    assert min(each.get_fontsize() for each in texts) >= 7
    legend = drawing.axes.get_legend()
    shown = [*(legend.get_texts() if legend else []), drawing.axes.xaxis.label]
    shown.append(drawing.axes.yaxis.label)
    for each in [each for each in shown if each.get_text()]:
        box = each.get_window_extent()
        assert box.x0 >= -0.5, each
        assert box.x1 <= canvas.bbox.width + 0.5, each
        assert box.y0 >= -0.5, each
        assert box.y1 <= canvas.bbox.height + 0.5, each


def test_every_dot_has_a_legend(drawing: Drawing) -> None:
    legend = [handle for _, handle in drawing.legend]
    explained = {each.get_marker() for each in legend if hasattr(each, "get_marker")}
    dots = [each for each in drawing.axes.lines if each.get_marker() not in ("None", "", None)]
    assert {each.get_marker() for each in dots if len(each.get_xdata())} <= explained
    spots = [each for each in drawing.axes.collections if isinstance(each, PathCollection)]
    assert len(spots) <= len([each for each in legend if isinstance(each, PathCollection)])


def test_an_arm_keeps_its_colour(drawing: Drawing, made: Records) -> None:
    colours = arm_colours(made)
    for label, handle in drawing.legend:
        arms = arms_named(label, runs_of(drawing.table, made))
        if arms and to_hex(handle.get_color()) not in INKS:
            assert to_hex(handle.get_color()) in {colours[arm] for arm in arms}, label


def arms_named(label: str, runs: pd.DataFrame) -> set[tuple[str, str]]:
    """Return the arms whose values of what varies have all words of a legend's label."""
    if label == "random labels":
        runs = runs[(runs["data.label_noise"] == 1) & (runs["data.inputs"] == "original")]
        return set(zip(runs["study"], runs["arm"], strict=True))
    found = set()
    for row in runs.drop_duplicates(["study", "arm"]).to_dict("records"):
        values = [row[key] for key in VARIED[row["study"]]]
        texts = {f"{v:g}" if isinstance(v, float) else v.replace("_", " ") for v in values}
        if label == row["arm"] or set(label.split(", ")) <= texts:
            found.add((row["study"], row["arm"]))
    return found


def test_no_line_lies_hidden_under_another(drawing: Drawing) -> None:
    if drawing.name not in NOT_LINES:
        assert_each_is_seen(drawing.axes, strong_lines(drawing.axes))


def test_no_line_lies_hidden_under_another_of_its_colour(drawing: Drawing) -> None:
    """Lines of other colours between two of one colour could have told them apart."""
    if drawing.name in NOT_LINES:
        return
    of_colour: dict[str, list[Line2D]] = {}
    for each in strong_lines(drawing.axes):
        of_colour.setdefault(to_hex(each.get_color()), []).append(each)
    for lines in of_colour.values():
        others = [each for each in drawing.axes.lines if each not in lines]
        plt.setp(others, visible=False)
        assert_each_is_seen(drawing.axes, lines if len(lines) > 1 else [])
        plt.setp(others, visible=True)


def strong_lines(axes: Any) -> list[Line2D]:
    """Return no single dots, no legend's own, none of the faint lines, and no error bar's."""
    return [
        each
        for each in axes.lines
        if len(each.get_xdata()) > 1
        and each.get_linewidth() >= 0.5
        and not each.get_linestyle() == each.get_marker() == "None"
    ]


def assert_each_is_seen(axes: Any, lines: list[Line2D]) -> None:
    whole = pixels(axes)
    for each in lines:
        each.set_visible(False)
        assert (pixels(axes) != whole).any(), (each.get_label(), each.get_marker())
        each.set_visible(True)


def pixels(axes: Any) -> Any:
    content = io.BytesIO()
    axes.figure.savefig(content, format="rgba", dpi=100)
    return np.frombuffer(content.getvalue(), np.uint8)


def test_divergence_is_marked(drawing: Drawing, made: Records) -> None:
    runs = runs_of(drawing.table, made)
    lost = runs[runs["status"] == "diverged"]
    caption = caption_of(drawing.its, drawing.table, made)
    if lost.empty:
        assert drawing.name == "gallery" or "diverged and are not in it" in caption
    elif drawing.name == "forest":
        assert drawing.table["words"].str.contains("diverged").any()
    else:
        assert "diverged" in [label for label, _ in drawing.legend]
        assert "diverged" in caption
        crosses = [e for e in drawing.axes.lines if e.get_marker() == "x" and len(e.get_xdata())]
        assert crosses


def test_no_line_averages_survivors(made: Records) -> None:
    """A mean over seeds ends with the first run of its line that stopped or diverged."""
    last = made.runs.set_index("run")["epochs"]
    lost = made.runs.set_index("run")["status"] == "diverged"
    for name in FIGURES:
        its = figure(name)
        if its.of_verdicts or "epoch" not in (table := its.data(made)):
            continue
        lines = drawn_lines(its, made)
        if not lines:
            continue
        runs = runs_of(table, made)["run"]
        first = int((last - lost).loc[runs].min())  # a diverged run has no number at its last
        ends = [max(each.get_xdata()) for each in lines]
        assert min(ends) == first, name
        assert set(ends) <= set((last - lost).loc[runs]), name


def drawn_lines(its: Figure, made: Records) -> list[Line2D]:
    """Return the lines over epochs that are no faint lines of single runs."""
    with styled("paper"):
        axes = its.draw(made, plt.figure().gca())
        plt.close("all")
    found = [
        each for each in axes.lines if len(each.get_xdata()) > 1 and each.get_linewidth() >= 0.5
    ]
    return found if axes.get_xlabel() == "epoch" else []
