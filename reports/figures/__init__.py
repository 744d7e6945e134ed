"""The figures, one file each.

Each module has ``draw(records, ax=None) -> Axes``, usable from a notebook; ``data(records)``, the
frame that it draws; ``alt(records)``, what it shows in words; ``NEEDS``, a sentence on what records
it needs; and ``WIDE``, whether it takes the width of the text. ``data`` is empty where the records
have nothing to draw. ``SINGLE`` names the column whose every value is drawn by itself, faintly;
`few` says of how many.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import pandas as pd

MOST_SINGLE = 200  # of more, nobody could tell one from the others
NAMES = (
    "learning_curves",
    "memorization",
    "time_to_fit",
    "loss_backward",
    "gradient_alignment",
    "paired_slopes",
    "seed_spread",
    "gallery",
    "forest",
)


def figure(name: str) -> ModuleType:
    """Return a figure's module."""
    return importlib.import_module(f"reports.figures.{name}")


def few(table: pd.DataFrame, single: str) -> pd.DataFrame:
    """Return the rows of what is drawn by itself: all, or of more than 200 the first by seed."""
    ordered = table.drop_duplicates(single).sort_values("seed", kind="stable")[single]
    if len(ordered) <= MOST_SINGLE:
        return table
    return table[table[single].isin(ordered.iloc[:MOST_SINGLE])]


def intervals(table: pd.DataFrame, single: str) -> dict[str, Any]:
    """Return how seaborn gets 95% intervals: a bootstrap, or of over 200 the normal ones."""
    if table[single].nunique() <= MOST_SINGLE:
        return {"errorbar": ("ci", 95), "seed": 0}
    return {"errorbar": ("se", 1.96)}


def caption(module: ModuleType, table: pd.DataFrame) -> str:
    """Return what a figure shows: the first line of its module, and what of it is left out."""
    first = (module.__doc__ or "").splitlines()[0]
    single = getattr(module, "SINGLE", None)
    number = 0 if single is None or table.empty else table[single].nunique()
    if number <= MOST_SINGLE:
        return first
    return f"{first} Each {single} by itself: the first {MOST_SINGLE} of {number}, by seed."
