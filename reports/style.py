"""How figures look: widths of venues, fonts that are embedded, colours that also print in grey."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Okabe & Ito (2008), ordered so that neighbours differ in lightness: read in grey, too.
COLOURS = ("#000000", "#E69F00", "#0072B2", "#56B4E9", "#D55E00", "#009E73", "#CC79A7", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("", (4, 1.5), (1, 1), (3, 1, 1, 1), (5, 1, 1, 1, 1, 1), (2, 2), (6, 2), (1, 3))


@dataclass(frozen=True)
class Style:
    """Sizes of a kind of publication.

    Attributes
    ----------
    column, text
        Widths in inches of one column and of the whole text.
    font
        Size of text in points.
    line
        Width of lines in points.
    """

    column: float
    text: float
    font: float
    line: float


STYLES = {
    # ICML's and NeurIPS's templates: columns of 3.25 in, a text of 5.5 to 6.75 in.
    "paper": Style(3.25, 6.75, 8.0, 1.0),
    "talk": Style(6.0, 11.0, 16.0, 2.2),
    "web": Style(4.5, 9.0, 10.0, 1.4),
}


@contextlib.contextmanager
def styled(name: str = "paper") -> Iterator[Style]:
    """Draw in a style, within this context."""
    import matplotlib as mpl
    import seaborn as sns

    style = STYLES[name]
    settings: dict[str, Any] = {
        **sns.axes_style("ticks"),
        "font.size": style.font,
        "axes.labelsize": style.font,
        "axes.titlesize": style.font,
        "xtick.labelsize": style.font - 1,
        "ytick.labelsize": style.font - 1,
        "legend.fontsize": style.font - 1,
        "legend.frameon": False,
        "lines.linewidth": style.line,
        "axes.linewidth": 0.6 * style.line,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.figsize": (style.column, 0.72 * style.column),
        "figure.constrained_layout.use": True,
        "savefig.dpi": 200,
        "text.parse_math": False,  # a label is text, whatever it holds
        "pdf.fonttype": 42,  # TrueType, embedded: venues refuse Type 3
        "ps.fonttype": 42,
        "svg.hashsalt": "study",
    }
    with mpl.rc_context(settings):
        yield style


def linestyle(index: int) -> Any:
    """Return the dashes of the ``index``-th line as matplotlib's own functions take them."""
    dashes = DASHES[index % len(DASHES)]
    return (0, dashes) if dashes else "-"


def palette(names: list[str]) -> dict[str, str]:
    """Return a colour for each name; more names than colours share them, told apart by dashes."""
    return {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}
