"""Gives a task the runs that no other task trains, one after another."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence

from study.runs.run import Run
from study.sharing.locks import Locks


class Queue:
    """The runs of a study, in the order in which one task takes them.

    Parameters
    ----------
    runs
        All runs that the task may train, its share first.
    locks
        The task's locks.
    ended
        Returns the ids of runs that are recorded.
    """

    def __init__(self, runs: Sequence[Run], locks: Locks, ended: Callable[[], set[str]]) -> None:
        self.runs, self.locks, self.ended = runs, locks, ended

    def take(self, runs: Sequence[Run], recorded: Callable[[Run], bool]) -> Iterator[Run]:
        """Lock one run after another, and yield it unless it is recorded by then."""
        for run in runs:
            if not self.locks.take(run.id):
                continue
            if recorded(run):
                self.locks.release([run.id])
            else:
                yield run

    def left(self, but: Collection[str] = ()) -> list[Run]:
        """Return the runs that have not ended, ``but`` some."""
        done = self.ended() | set(but)
        return [run for run in self.runs if run.id not in done]

    def some(self, left: Sequence[Run], shown: Collection[str], tasks: int) -> list[Run]:
        """Return the next few free runs: few enough that other tasks find some, too.

        Parameters
        ----------
        left
            Runs that have not ended.
        shown
            The ids of runs that other tasks say they train. They come last, because where a file
            system does not lock nothing else tells that they are not free.
        tasks
            How many tasks train the study.
        """
        free = [run for run in left if not self.locks.held(run.id)]
        free.sort(key=lambda run: run.id in shown)
        return free[: math.ceil(len(free) / (2 * tasks))]
