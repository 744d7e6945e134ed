"""The page's three linked views: curves of every run, a margin to move, and label noise.

Python packs what the views show (`curves`, `pinned`, `margins` and `noise`); the scripts beside it
draw it in the browser. uPlot, in ``vendor/``, draws curves; everything else is SVG of our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reports.explorer.curves import all_curves
from reports.explorer.margins import movable_margins
from reports.explorer.noise import noise_levels
from reports.explorer.pinned import all_answers
from reports.explorer.sprites import Sprites
from reports.read import Records
from reports.verdicts import Verdict

HERE = Path(__file__).parent
SCRIPTS = (
    "vendor/uPlot.iife.min.js",
    "page_state.js",
    "images.js",
    "curves.js",
    "margins.js",
    "noise.js",
    "arrive.js",
)
STYLES = ("vendor/uPlot.min.css", "explorer.css")


def explored(records: Records, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return everything that the views show, as plain values for JSON; absent views are None."""
    sprites = Sprites()
    curves, noise = all_curves(records), noise_levels(records, sprites)
    return {
        "curves": curves,
        "answers": all_answers(records, [run["id"] for run in curves["runs"]], sprites),
        "margins": movable_margins(verdicts),
        "noise": noise,
        "images": sprites.pictures(),
    }


def scripts() -> str:
    """Return the views' scripts as one text."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)


def styles() -> str:
    """Return the views' styles as one text."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in STYLES)
