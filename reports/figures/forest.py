"""Every claim's effect beside its numbers, each in its own units, and where it was asked to lie."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from reports import wording
from reports.figures import Figure
from reports.pictures import extent
from reports.style import COLOURS, small_text
from reports.verdicts import (
    INCONCLUSIVE,
    REFUTED,
    SUPPORTED,
    Verdict,
    in_print,
)

ROW, HEAD = 0.36, 0.5  # inches of a claim, and of the legend, where letters have 7 points
STRIP = 1.6  # where the numbers begin, in widths of the strip; the strip ends at 1
INK = "#262626"  # which a page turns around in dark mode, as it does not black
LONGEST = 72  # letters of a line beside a strip
ASKED: dict[str, Any] = {"color": COLOURS[1], "alpha": 0.15, "linewidth": 0}
COLOUR = {SUPPORTED: COLOURS[3], REFUTED: COLOURS[2], INCONCLUSIVE: COLOURS[0]}
MARK = {SUPPORTED: "o", REFUTED: "X", INCONCLUSIVE: "s"}


def data(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Return each judged claim's effect and intervals, on the scale on which it is tested.

    Settings that were not registered are left out, unless nothing else was judged. An interval that
    there is none of, because runs diverged or did not fit, is empty; an infinite one has no end.
    """
    rows, shown = [], in_print(verdicts)
    for each in shown:
        claim = each.claim
        rows.append(
            {
                "claim": f"{claim.id}, {each.setting}" if each.setting else claim.id,
                "verdict": each.verdict,
                "asked": claim.asked,
                "margin": claim.margins[0],
                "second_margin": claim.margins[-1],
                "effect": each.mean,
                "low": each.interval.low,
                "high": each.interval.high,
                "unadjusted_low": each.unadjusted.low,
                "unadjusted_high": each.unadjusted.high,
                "first_label": _margin(each, 0),
                "second_label": _margin(each, -1),
                "words": f"{wording.effect(each)}; {each.n} seeds",
            }
        )
    found = pd.DataFrame(rows)
    found.attrs["runs"] = list({run for each in shown for run in each.runs.to_numpy().ravel()})
    there, drawn = len(verdicts), len({each.claim.id for each in shown})
    if drawn < there:
        found.attrs["left_out"] = f"{drawn} of {there} claims: the others were not run."
    return found


def _margin(verdict: Verdict, which: int) -> str:
    claim = verdict.claim
    if claim.statistic.of_runs:
        return f"{wording.number(100 * claim.margins[which])} %"
    return wording.on_scale(claim, claim.margins[which]).lstrip("+")


def draw(verdicts: Sequence[Verdict], ax: Axes | None = None) -> Axes:
    """Draw a row a claim on a scale of its own: intervals over what was asked, and its numbers."""
    ax = ax or plt.gca()
    table = data(verdicts)
    size = small_text()
    ax.figure.set_figheight(size / 7 * (ROW * len(table) + HEAD))  # type: ignore[union-attr]
    for place, row in enumerate(table.to_dict("records")):
        _strip(ax, row, place, size)
        for height, name in ((-0.2, row["claim"]), (0.2, row["words"])):
            text = textwrap.shorten(str(name), LONGEST, placeholder=" …")
            colour = "0.35" if height > 0 else INK
            ax.text(-0.04, place + height, text, ha="right", va="center", size=size, color=colour)
    ax.set(xlim=(-STRIP, 1.02), ylim=(len(table) - 0.4, -0.6))
    ax.set_axis_off()
    ax.legend(
        handles=_legend(set(table["verdict"])),
        loc="lower center",
        ncols=3,
        fontsize=size,
        bbox_to_anchor=(0.5, 1.0),
    )
    return ax


def _strip(ax: Axes, row: Mapping[Any, Any], place: int, size: float) -> None:
    """Draw a claim's strip: what was asked, the margins with their values, intervals and mean."""
    asked, first, second = row["asked"], row["margin"], row["second_margin"]
    ends = [row[key] for key in ("low", "high", "unadjusted_low", "unadjusted_high", "effect")]
    scale = extent([first, second, *(end for end in ends if math.isfinite(end))], share=0.3)

    def at(value: float) -> float:
        return min(max((value - scale[0]) / (scale[1] - scale[0]), 0.0), 1.0)

    sides = {"above": (at(first), 1), "below": (0, at(first)), "within": (at(first), at(second))}
    low, high = sides.get(str(asked), (0.0, 1.0))  # other than a value: all but its line
    ax.fill_betweenx([place - 0.4, place + 0.12], low, high, **ASKED)
    margins = {first: (row["first_label"], "center")}
    if second != first:
        margins = {first: (row["first_label"], "right"), second: (row["second_label"], "left")}
    for value, (label, side) in margins.items():
        ax.plot([at(value)] * 2, [place - 0.4, place + 0.12], color="0.4", linewidth=0.8)
        ax.text(at(value), place + 0.3, str(label), ha=side, va="center", size=size, color="0.35")
    colour = COLOUR[str(row["verdict"])]
    for key, width in (("", 1.0), ("unadjusted_", 2.6)):
        ends = [row[f"{key}low"], row[f"{key}high"]]
        if not any(map(math.isnan, ends)):
            ax.plot(
                [*map(at, ends)],
                [place - 0.14] * 2,
                color=colour,
                linewidth=width,
                solid_capstyle="butt",
            )
    if math.isfinite(row["effect"]):
        ax.plot(
            at(row["effect"]),
            place - 0.14,
            MARK[str(row["verdict"])],
            color=colour,
            markersize=4.5,
            markeredgecolor="white",
            markeredgewidth=0.4,
        )


def _legend(verdicts: set[str]) -> list[Line2D | Patch]:
    marks: list[Line2D | Patch] = [
        Line2D(
            [], [], marker=mark, color=COLOUR[verdict], linestyle="", markersize=4.5, label=verdict
        )
        for verdict, mark in MARK.items()
        if verdict in verdicts
    ]
    lines = ((1.0, "interval that decides"), (2.6, "95 %, unadjusted"))
    marks += [Line2D([], [], color="0.2", linewidth=width, label=name) for width, name in lines]
    return [*marks, Patch(**ASKED, label="where it was asked to lie")]


def alt(verdicts: Sequence[Verdict]) -> str:
    """Describe the figure."""
    table = data(verdicts)
    counts = table["verdict"].value_counts()
    said = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
    return f"Intervals of the effects of {len(table)} claims beside what was asked: {said}."


FIGURE = Figure(
    __doc__,
    data,
    draw,
    alt,
    needs="a claim that the records say something about",
    wide=True,
    band="Mark: mean over seeds, of a share the share; thin line: the interval that decides, at a "
    "level that pays for all claims of the family; thick line: the 95 % interval, unadjusted; "
    "shaded: where the effect was asked to lie, with the margin below it; no line: runs diverged "
    "or did not fit, so that there is no interval",
    of_verdicts=True,
)
