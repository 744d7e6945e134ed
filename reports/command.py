"""What the commands of this package share: their arguments, and one line for what goes wrong."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from reports.figures import FIGURE
from reports.output import complain
from study.base.errors import BadInput

DONE, FAILED, BAD_INPUT = 0, 1, 2


def parser(program: str, description: str) -> argparse.ArgumentParser:
    """Return a parser of the arguments that all commands of this package take."""
    made = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
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


def status_of(program: str, do: Callable[[], None]) -> int:
    """Do what a command does; return its exit status, and say bad input in one line."""
    try:
        do()
    except (BadInput, OSError) as fault:
        complain(f"{program}: {fault}")
        return BAD_INPUT
    return DONE
