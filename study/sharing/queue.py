"""Gives a task runs that no other task trains, one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from study.runs.run import Run
from study.sharing.locks import Locks

POLL_SECONDS = 1.0


class Queue:
    """The runs that a task may still train.

    Parameters
    ----------
    locks
        The task's locks.
    ended
        Returns the ids of recorded runs.
    recorded
        Returns whether a run is recorded, from the folder's newest state.
    stopped
        Returns whether a stop was requested.
    say
        Shows a line.
    """

    def __init__(
        self,
        locks: Locks,
        ended: Callable[[], set[str]],
        recorded: Callable[[Run], bool],
        stopped: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        self.locks, self.ended, self.recorded = locks, ended, recorded
        self.stopped, self.say = stopped, say

    def take(self, runs: Sequence[Run]) -> Iterator[tuple[Run, list[str]]]:
        """Lock one run after another, and yield it with the tasks that locked it before."""
        for run in runs:
            before = self.locks.take(run.id)
            if before is None:
                continue
            if self.recorded(run):
                self.locks.release([run.id])
            else:
                yield run, before

    def free(self, runs: Sequence[Run]) -> list[Run]:
        """Wait until a run is free, and return all free runs; none when all runs have ended."""
        waits = False
        while not self.stopped():
            ended = self.ended()
            left = [run for run in runs if run.id not in ended]
            holders = {run.id: self.locks.holder(run.id) for run in left}
            free = [run for run in left if holders[run.id] is None]
            if free or not left:
                return free
            if not waits:
                tasks = ", ".join(sorted({str(name) for name in holders.values()}))
                self.say(f"waiting for {len(left)} runs that other tasks train (task {tasks})")
                waits = True
            time.sleep(POLL_SECONDS)
        return []
