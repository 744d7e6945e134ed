"""The figures, one file each; `FIGURES` is the one place that names them.

A figure is a `Figure`. Its functions can be used from a notebook: ``memorization.draw(records)``.
To add one of your own, make a `Figure` in a module of yours and name it: ``--figures
package.module:object``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from study.base.names import Kind

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from reports.read import Records
    from reports.verdicts import Verdict

MOST_SINGLE = 200  # more faint lines than this cannot be told apart

FIGURE = Kind("a figure", "reports.figures", "FIGURES")
FIGURES = {
    "learning_curves": "reports.figures.learning_curves:FIGURE",
    "memorization": "reports.figures.memorization:FIGURE",
    "fit_against_noise": "reports.figures.fit_against_noise:FIGURE",
    "early_peak": "reports.figures.early_peak:FIGURE",
    "destroyed_inputs": "reports.figures.destroyed_inputs:FIGURE",
    "both_halves": "reports.figures.both_halves:FIGURE",
    "time_to_fit": "reports.figures.time_to_fit:FIGURE",
    "loss_backward": "reports.figures.loss_backward:FIGURE",
    "gradient_alignment": "reports.figures.gradient_alignment:FIGURE",
    "paired_slopes": "reports.figures.paired_slopes:FIGURE",
    "seed_spread": "reports.figures.seed_spread:FIGURE",
    "gallery": "reports.figures.gallery:FIGURE",
    "forest": "reports.figures.forest:FIGURE",
}


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes
    ----------
    about
        What it shows, for the caption: the first line is used, so a module's docstring will do.
    data
        From the records, the frame that is drawn; empty where they have nothing to draw. The runs
        in its column ``run``, or else in its ``attrs["runs"]``, are those that a caption counts;
        ``attrs["left_out"]`` says in a sentence what else the records have.
    draw
        Draws the records' data on an Axes, or on the current one, and returns it.
    alt
        From the records, what the figure shows, in words.
    needs
        What records it needs, in words.
    wide
        Whether it takes the width of the text.
    band
        What lines, bands and dots stand for, in words.
    single
        The column of ``data`` whose every value is drawn by itself, faintly; `few` says of how
        many.
    of_verdicts
        Whether its functions take the verdicts in place of the records.
    """

    about: str | None
    data: Callable[[Any], pd.DataFrame]
    draw: Callable[[Any, Axes | None], Axes]
    alt: Callable[[Any], str]
    needs: str
    wide: bool = False
    band: str = ""
    single: str | None = None
    of_verdicts: bool = False

    def shown(self, records: Records, verdicts: Sequence[Verdict]) -> Records | Sequence[Verdict]:
        """Return what the figure's functions take."""
        return verdicts if self.of_verdicts else records

    def caption(self, table: pd.DataFrame) -> str:
        """Return what the figure shows, and what of ``table``, its data, is left out."""
        parts = [(self.about or "").partition("\n")[0], table.attrs.get("left_out", "")]
        first = " ".join(part for part in parts if part)
        number = 0 if self.single is None or table.empty else table[self.single].nunique()
        if number <= MOST_SINGLE:
            return first
        return (
            f"{first} Each {self.single} by itself: the first {MOST_SINGLE} of {number}, by seed."
        )


def figure(name: str) -> Figure:
    """Return a figure by its name, or by the ``package.module:object`` of your own.

    Raises
    ------
    BadInput
        An unknown name, an object that cannot be imported or is no `Figure`.
    """
    return FIGURE.resolve_as(name, "--figures", Figure)


def complete(table: pd.DataFrame, group: Sequence[str], metric: str) -> pd.DataFrame:
    """Return the rows of those epochs at which every run of its group has a metric.

    A mean over the runs that are left, once one has stopped or diverged, would be one of survivors.
    """
    table = table.dropna(subset=[metric])
    keys = [*group, "epoch"]
    there = table.groupby(keys, dropna=False)["run"].transform("nunique")
    whole = table.groupby(list(group), dropna=False)["run"].transform("nunique")
    return table[there == whole]


def evenly(values: Sequence[Any], most: int) -> list[Any]:
    """Return at most so many of some values, evenly spaced, the first and the last among them.

    Examples
    --------
    >>> evenly([0, 0.1, 0.2, 0.5, 1], 3)
    [0, 0.2, 1]
    """
    places = np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int)
    return [values[place] for place in places]


def thinned(table: pd.DataFrame, points: int = 40) -> pd.DataFrame:
    """Return the rows of at most so many epochs, the first and the last among them."""
    epochs = table["epoch"].drop_duplicates().sort_values().tolist()
    return table[table["epoch"].isin(evenly(epochs, points))]


def few(table: pd.DataFrame, single: str) -> pd.DataFrame:
    """Return the rows to draw one by one: all of them, or those of the first 200 by seed."""
    ordered = table.drop_duplicates(single).sort_values("seed", kind="stable")[single]
    if len(ordered) <= MOST_SINGLE:
        return table
    return table[table[single].isin(ordered.iloc[:MOST_SINGLE])]


def intervals(table: pd.DataFrame, single: str) -> dict[str, Any]:
    """Return seaborn's settings for 95% intervals: bootstrapped, or normal for over 200 values."""
    if table[single].nunique() <= MOST_SINGLE:
        return {"errorbar": ("ci", 95), "seed": 0}
    return {"errorbar": ("se", 1.96)}
