"""The console that commands print on."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from study.base.command import UNDECODED
from study.base.text import plain

PLAIN_WIDTH = 120  # of output that goes to no terminal
KEPT = "\n" + "".join(UNDECODED)  # bytes of paths, which only the terminal knows how to show


class _Console(Console):
    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(plain(text, KEPT), **how)


def console() -> Console:
    """Return a console on standard output that prints text as text; see `study.base.text`."""
    made = _Console(highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = PLAIN_WIDTH
    return made
