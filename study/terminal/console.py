"""The console that commands print on."""

from __future__ import annotations

from rich.console import Console

PLAIN_WIDTH = 120  # where no terminal says how wide it is


def console() -> Console:
    """Return a console on standard output that shows text as it is."""
    made = Console(highlight=False, markup=False)
    if not made.is_terminal:
        made.width = PLAIN_WIDTH
    return made
