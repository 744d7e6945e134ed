"""The arguments that the commands of this package share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reports.figures import FIGURE
from study.base.command import Parser


def parser(program: str, description: str) -> Parser:
    """Return a parser of the arguments that all commands of this package take."""
    made = Parser(prog=f"python -m {program}", description=description)
    made.add_argument("folders", nargs="+", type=Path, help="folders of studies")
    made.add_argument(
        "--claims",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="a file of further claims, of the form of reports/claims.yaml; the code that it names "
        "is imported",
    )
    made.add_argument(
        "--figures",
        action="append",
        default=[],
        metavar="PACKAGE.MODULE:OBJECT",
        help="a further figure: a reports.figures.Figure in a module of your own; may be repeated",
    )
    return made


def figure_names(more: Sequence[str]) -> list[str]:
    """Return the names of the figures to draw, each once: this package's, and those asked for.

    Raises
    ------
    BadInput
        A name that is neither a figure of this package nor ``package.module:object``.
    """
    for name in more:
        FIGURE.check(name, "--figures")
    return list(dict.fromkeys([*FIGURE.names(), *more]))
