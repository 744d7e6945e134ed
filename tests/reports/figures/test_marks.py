"""A line upon another of its colour is seen on white and on black."""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import numpy as np

from reports.figures.marks import line_styles
from reports.inline_svg import inline_svg
from reports.style import COLOURS, DARK_PAPER, PAPER, linestyle


def drawn(number: int, form: str) -> bytes:
    """Return a picture of lines of one colour, all in one place."""
    figure, axes = plt.subplots()
    for style in line_styles(dict.fromkeys(range(number), COLOURS[0])).values():
        axes.plot([0, 1], [0.5, 0.5], **style)
    axes.set_axis_off()
    content = io.BytesIO()
    figure.savefig(content, format=form, dpi=100)
    plt.close(figure)
    return content.getvalue()


def test_the_gaps_of_a_dashed_line_show_paper_upon_a_whole_one_of_its_colour() -> None:
    picture = np.frombuffer(drawn(2, "rgba"), np.uint8).reshape(480, 640, 4)[..., 0].astype(int)
    rows = np.flatnonzero((picture < 100).any(axis=1))
    along = picture[rows.min() : rows.max() + 1, 120:520]
    assert (along.min(axis=0) < 100).all()  # the whole line's sides are seen all along
    gaps = along[len(along) // 2] > 150
    assert 0.1 < gaps.mean() < 0.5


def test_the_first_line_of_a_colour_has_no_casing() -> None:
    styles = line_styles({"a": COLOURS[0], "b": COLOURS[1], "c": COLOURS[0]})
    cased = {name: bool(style["path_effects"]) for name, style in styles.items()}
    assert cased == {"a": False, "b": False, "c": True}
    assert styles["c"]["linestyle"] == linestyle(1)


def test_a_casing_has_the_colour_of_the_page_in_both_modes() -> None:
    page = inline_svg(drawn(3, "svg").decode(), "f", "Three lines.")
    assert page.count(f"stroke: light-dark({PAPER}, {DARK_PAPER})") == 2
