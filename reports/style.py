"""How figures look: widths of venues, fonts that are embedded, colours on white and on black."""

from __future__ import annotations

import colorsys
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Each has a contrast of at least 4.5:1 on white, and neighbours differ in lightness.
COLOURS = ("#1a1a1a", "#0072b2", "#c24e00", "#00795a", "#a8478f", "#7a6200", "#5b4fc4", "#a3203a")
PAPER, DARK_PAPER = "#ffffff", "#16181a"
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
    # ICML's columns of 3.25 in, NeurIPS's text of 5.5 in; the smallest text has 7 pt.
    "paper": Style(3.25, 5.5, 8.0, 1.0),
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
        "svg.fonttype": "none",
    }
    with mpl.rc_context(settings):
        yield style


def small_text() -> float:
    """Return the size of a style's smallest text, that of ticks, in points."""
    import matplotlib as mpl
    from matplotlib.font_manager import FontProperties

    return FontProperties(size=mpl.rcParams["xtick.labelsize"]).get_size_in_points()


def linestyle(index: int) -> Any:
    """Return the dashes of the ``index``-th line as matplotlib's own functions take them."""
    dashes = DASHES[index % len(DASHES)]
    return (0, dashes) if dashes else "-"


def noise_colour(level: float) -> str:
    """Return the colour of a level of label noise, from 0 (dark) to 1 (lighter): viridis.

    Examples
    --------
    >>> noise_colour(0.0), contrast(noise_colour(1.0), "#ffffff") > 3
    ('#440154', True)
    """
    import matplotlib as mpl

    return mpl.colors.to_hex(mpl.colormaps["viridis"](0.58 * min(max(level, 0.0), 1.0)))


def dark(colour: str) -> str:
    """Return a colour of the same hue for a dark background, with a contrast of at least 4.5:1.

    Examples
    --------
    >>> dark("#0072b2"), contrast(dark("#5b4fc4"), DARK_PAPER) > 4.5
    ('#60c6ff', True)
    """
    hue, light, saturation = colorsys.rgb_to_hls(*_rgb(colour))
    light = 0.94 - 0.72 * light
    while contrast(made := _hex(colorsys.hls_to_rgb(hue, light, saturation)), DARK_PAPER) < 4.5:
        light += 0.02
    return made


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2, section 1.4.3)."""
    low, high = sorted(_luminance(each) for each in (one, other))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _hex(rgb: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * min(each, 1.0)):02x}" for each in rgb)
