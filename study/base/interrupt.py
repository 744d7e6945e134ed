"""Signals: the first asks for a stop at the epoch's end, the second stops at once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

# The job scripts ask Slurm to send SIGUSR1 some time before it ends a job.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class StoppedAtOnce(BaseException):
    """A second signal came.

    Not a `KeyboardInterrupt`, because Lightning would catch that and exit with status 1.
    """


class Interrupt:
    """Handles SIGINT, SIGTERM and SIGUSR1 while it is entered.

    Parameters
    ----------
    say
        Shows a line to the user.

    Attributes
    ----------
    requested : bool
        Whether a signal has come.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.requested = False
        self._say = say
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupt:
        self._before = {number: signal.getsignal(number) for number in SIGNALS}
        self.arm()
        return self

    def arm(self) -> None:
        """Install this object's signal handlers, also where other code has replaced them."""
        for number in SIGNALS:
            signal.signal(number, self._take)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise StoppedAtOnce
        self.requested = True
        self._say("interrupted: finishing this epoch, then saving; a second signal stops at once")
