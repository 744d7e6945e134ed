"""Tables in LaTeX that fit a text of 5.5 inches and break across pages."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from study.base import text

TEXT_POINTS = 5.5 * 72.27
BETWEEN = 3.0  # points left and right of each column
LETTER = 4.1  # points of a letter in \scriptsize, of an unfavourable mixture
LONGEST = 40  # letters of a column that needs no more width
# After what joins the parts of a path, but not within a number.
BREAK = r"(?<=[_/=-])(?=\w)|(?<=\.)(?=[^\W\d])"
PACKAGES = r"% \usepackage{array, booktabs, longtable}"


def latex(table: pd.DataFrame) -> str:
    """Return a table as a ``longtable`` with booktabs' rules, 5.5 inches wide.

    Each column gets the width of its longest piece without a break, and a share of what is left.
    """
    cells = [[str(cell) for cell in row] for row in table.itertuples(index=False)]
    names = [str(name) for name in table.columns]
    columns = [[names[at], *(row[at] for row in cells)] for at in range(len(names))]
    form = "".join(
        rf">{{\raggedright\arraybackslash}}p{{{width:.1f}pt}}" for width in widths(columns)
    )
    return "\n".join(
        [
            PACKAGES,
            rf"{{\scriptsize\setlength{{\tabcolsep}}{{{BETWEEN:g}pt}}\setlength{{\LTleft}}{{0pt}}",
            rf"\begin{{longtable}}{{@{{}}{form}@{{}}}}",
            r"\toprule",
            _row(names),
            r"\midrule",
            r"\endhead",
            *map(_row, cells),
            r"\bottomrule",
            r"\end{longtable}}",
            "",
        ]
    )


def widths(columns: Sequence[Sequence[str]]) -> list[float]:
    """Return the columns' widths in points; together with the space between they fill the text.

    Examples
    --------
    >>> [round(each) for each in widths([["n", "12"], ["a sentence of several words", "word"]])]
    [14, 377]
    """
    room = TEXT_POINTS - 2 * BETWEEN * (len(columns) - 1) - 1
    least = [LETTER * max(map(_longest_piece, cells)) + 1 for cells in columns]
    most = [LETTER * min(LONGEST, max(map(len, cells))) + 1 for cells in columns]
    if sum(least) >= room:
        return [room * each / sum(least) for each in least]
    wanted = [max(0.0, more - each) + 1 for each, more in zip(least, most, strict=True)]
    left = room - sum(least)
    return [each + left * more / sum(wanted) for each, more in zip(least, wanted, strict=True)]


def _longest_piece(cell: str) -> int:
    return max((len(piece) for piece in re.split(rf"(?<= )|{BREAK}", cell)), default=0)


def _row(cells: Sequence[str]) -> str:
    return " & ".join(map(_cell, cells)) + r" \\"


def _cell(cell: str) -> str:
    """Return a cell's text, which may be broken after each character that paths are joined by."""
    pieces = re.split(BREAK, cell)
    return r"\allowbreak{}".join(map(text.latex, pieces))
