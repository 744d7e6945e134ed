"""The console that commands print on."""

from __future__ import annotations

from rich.console import Console

PLAIN_WIDTH = 120  # of output that goes to no terminal


def console() -> Console:
    """Return a console on standard output that prints text unchanged."""
    made = Console(highlight=False, markup=False)
    if not made.is_terminal:
        made.width = PLAIN_WIDTH
    return made
