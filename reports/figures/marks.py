"""What figures draw alike: lines that hide no other, crosses for divergence, and legends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import AbstractPathEffect, Normal, Stroke

from reports.arm_styles import dashes_apart
from reports.read import Records
from reports.style import PAPER, linestyle
from study.runs.progress import DIVERGED

THIN, THICK = 0.8, 4.0  # points of the last and of the first of several lines
CROSS: Mapping[str, Any] = {
    "marker": "x",
    "linestyle": "",
    "markeredgewidth": 1.2,
    "zorder": 4,
}


def line_styles(colours: Mapping[Any, str]) -> dict[Any, dict[str, Any]]:
    """Return matplotlib's settings of each line, which is drawn in the order of the names.

    Later lines are thinner, so that a line is seen below another that it coincides with. Lines of
    one colour have different dashes, which repeat after eight, and all but the first are cased in
    the paper's colour, so that they are seen upon the first.
    """
    step = (THICK - THIN) / max(1, len(colours) - 1)
    widths = [THICK - number * step for number in range(len(colours))] if len(colours) > 1 else [1]
    dashes = dashes_apart(colours)
    return {
        name: {
            "color": colours[name],
            "linewidth": width,
            "linestyle": linestyle(dashes[name]),
            "path_effects": _casing(width + step / 2) if dashes[name] else [],
        }
        for name, width in zip(colours, widths, strict=True)
    }


def _casing(width: float) -> list[AbstractPathEffect]:
    """Return what draws a whole line of the paper's colour below a line.

    It is narrower than the line before, which stays seen at its sides.
    """
    whole = {"dash_offset": 0, "dash_list": None}
    return [Stroke(linewidth=width, foreground=PAPER, dashes=whole), Normal()]


def diverged_of(records: Records, runs: Sequence[str] | pd.Series) -> list[str]:
    """Return those of some runs that diverged."""
    table = records.runs[records.runs["run"].isin(runs)]
    return list(table.loc[table["status"] == DIVERGED, "run"])


def mark_ends(
    records: Records,
    table: pd.DataFrame,
    metric: str,
    colours: pd.Series,
    ax: Axes,
    x: str = "epoch",
) -> None:
    """Draw a cross at the last number of each run that diverged.

    Parameters
    ----------
    table
        A row a run and epoch, with the metric.
    colours
        The colour of each row.
    x
        The column that is drawn from left to right.
    """
    lost = table[table["run"].isin(diverged_of(records, table["run"]))]
    lost = lost.assign(colour=colours).dropna(subset=[metric])
    ends = lost.loc[lost.groupby("run")["epoch"].idxmax()]
    mark_diverged(ends[x], ends[metric], ends["colour"], ax)


def mark_diverged(x: pd.Series, y: pd.Series, colours: pd.Series, ax: Axes) -> None:
    """Draw a cross at each place, and one in the legend; of one place, smaller on larger ones."""
    places = pd.DataFrame({"x": x, "y": y, "colour": colours}).astype({"x": float, "y": float})
    below = places.groupby(["x", "y"]).cumcount(ascending=False)
    for row, more in zip(places.to_dict("records"), below, strict=True):
        ax.plot(row["x"], row["y"], color=row["colour"], markersize=5 + 2 * min(more, 5), **CROSS)
    if len(places):
        ax.plot([], [], color="0.3", markersize=5, label="diverged", **CROSS)


def legend_beside(ax: Axes, title: str | None = None) -> None:
    """Put the legend right of the axes, where it covers nothing."""
    ax.legend(title=title, loc="upper left", bbox_to_anchor=(1.0, 1.0))
