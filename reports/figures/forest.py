"""Every claim's effect with the interval that decides, beside what was asked."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from reports.figures import Figure
from reports.style import COLOURS
from reports.verdicts import MOST_ELSEWHERE, REFUTED, SUPPORTED, Verdict, with_elsewhere

HALF_WIDTH = 3.0  # of the axis, in units of what was asked
LONGEST = 60  # of a row's name, in characters
SIDES = {
    "above": (0.0, HALF_WIDTH),
    "below": (-HALF_WIDTH, 0.0),
    "within": (-1.0, 1.0),
    "other_than": (-HALF_WIDTH, HALF_WIDTH),  # all but the line in the middle
}


def data(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Return effects with intervals, as tested and rescaled so that what was asked ends at 1.

    Effects of claims are of different kinds. A difference that was to lie within bounds is divided
    by their half-width, around their middle; others by their own distance from the margin.
    """
    rows = []
    for each in with_elsewhere(verdicts, MOST_ELSEWHERE):
        if not math.isfinite(each.interval.high - each.interval.low):
            continue
        claim = each.claim
        low, high = claim.margins[0], claim.margins[-1]
        middle = (low + high) / 2
        unit = (high - low) / 2 or max(abs(each.mean - middle), 1e-9)
        rows.append(
            {
                "claim": f"{claim.id}, {each.setting}" if each.setting else claim.id,
                "asked": claim.asked,
                "verdict": each.verdict,
                "effect": each.mean,
                "low": each.interval.low,
                "high": each.interval.high,
                "shown": (each.mean - middle) / unit,
                "shown_low": (each.interval.low - middle) / unit,
                "shown_high": (each.interval.high - middle) / unit,
            }
        )
    return pd.DataFrame(rows)


def draw(verdicts: Sequence[Verdict], ax: Axes | None = None) -> Axes:
    """Draw a row a claim: its interval, and the band or the side on which it was to lie."""
    ax = ax or plt.gca()
    table = data(verdicts).iloc[::-1].reset_index(drop=True)
    colours = {SUPPORTED: COLOURS[5], REFUTED: COLOURS[4]}
    marks = {SUPPORTED: "o", REFUTED: "X"}
    for place, row in enumerate(table.to_dict("records")):
        low, high = SIDES[row["asked"]]
        ax.fill_betweenx([place - 0.4, place + 0.4], low, high, color="0.9", linewidth=0)
        colour = colours.get(row["verdict"], "0.4")
        ends = [min(max(row[key], -HALF_WIDTH), HALF_WIDTH) for key in ("shown_low", "shown_high")]
        ax.plot(ends, [place, place], color=colour)
        middle = min(max(row["shown"], -HALF_WIDTH), HALF_WIDTH)
        ax.plot(middle, place, marks.get(row["verdict"], "s"), color=colour, markersize=4)
    ax.axvline(0, color="0.5", linewidth=0.6)
    ax.set(
        yticks=range(len(table)),
        xlim=(-1.05 * HALF_WIDTH, 1.05 * HALF_WIDTH),
        xlabel="effect, in units of what was asked (grey)",
    )
    ax.set_yticklabels(textwrap.shorten(name, LONGEST, placeholder=" …") for name in table["claim"])
    return ax


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
    of_verdicts=True,
)
