"""The figures, one file each.

Each module has ``draw(records, ax=None) -> Axes``, usable from a notebook; ``data(records)``, the
frame that it draws; ``alt(records)``, what it shows in words; ``NEEDS``, a sentence on what records
it needs; and ``WIDE``, whether it takes the width of the text. ``data`` is empty where the records
have nothing to draw.
"""

from __future__ import annotations

import importlib
from types import ModuleType

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
