"""Puts a figure into a page as SVG that follows light and dark mode."""

from __future__ import annotations

import html
import re

from reports.style import DARK_PAPER, PAPER, dark

SCALE = 1.6  # a page is read from further away than paper
PATH = re.compile(r'\bd="[^"]*"')
LONG = re.compile(r"(\d\.\d\d)\d+")  # hundredths of a point are enough
COLOUR = re.compile(r"#[0-9a-f]{6}\b")


def inline_svg(svg: str, name: str, alt: str) -> str:
    """Return a figure's SVG for a page: its colours depend on the mode, its ids are its own.

    Parameters
    ----------
    svg
        What matplotlib wrote.
    name
        The figure's name, which makes its ids differ from other figures'.
    alt
        What it shows, in words.

    Examples
    --------
    >>> inline_svg('<svg><path style="fill: #ffffff"/></svg>', "f", "A dot.")
    '<svg role="img" aria-label="A dot."><path style="fill: light-dark(#ffffff, #16181a)"/></svg>'
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    head, rest = svg.split(">", 1)
    width = re.search(r'\swidth="([\d.]+)pt"', head)
    style = f' style="--wide: {SCALE * float(width[1]):.0f}pt"' if width else ""
    head = re.sub(r'\s(width|height|version|xmlns(:\w+)?)="[^"]*"', "", head)
    rest = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", rest)
    rest = PATH.sub(lambda found: LONG.sub(r"\1", found[0]), rest)
    rest = COLOUR.sub(lambda found: _by_mode(found[0]), rest)
    rest = re.sub(r"\n\s*", "\n", rest)
    return f'{head}{style} role="img" aria-label="{html.escape(alt)}">{rest}'.strip()


def _by_mode(colour: str) -> str:
    return f"light-dark({colour}, {DARK_PAPER if colour == PAPER else dark(colour)})"
