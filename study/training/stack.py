"""A stack: runs that share a program, trained together, each in a slot of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from study.base.errors import BadInput
from study.runs.progress import Progress
from study.runs.run import Run
from study.training.failures import is_a_run_s


class Stack:
    """Runs of one program in slots; those that find no slot wait for one.

    Parameters
    ----------
    slots
        The runs that begin, each in its slot.
    more
        Runs that come after those, each asked for when a slot is about to be free.
    keep_going
        Whether the others go on when one run's own code raises an error; else it is raised.

    Attributes
    ----------
    failed : list of Progress
        The runs that ended so.

    Raises
    ------
    BadInput
        No run, or runs that do not share a program.
    """

    def __init__(
        self,
        slots: Sequence[Progress],
        more: Iterable[Progress] = (),
        *,
        keep_going: bool = False,
    ) -> None:
        if not slots:
            raise BadInput("runs", "at least one run", 0)
        first = slots[0].run
        for slot in slots:
            if slot.run.program != first.program:
                differing = set(slot.run.program) ^ set(first.program)
                raise BadInput("runs", "runs that share a program", ", ".join(sorted(differing)))
        self.slots, self.all = list(slots), list(slots)
        self._waiting = self._noted(more)
        self._next = next(self._waiting, None)
        self.keep_going, self.failed = keep_going, list[Progress]()

    def _noted(self, more: Iterable[Progress]) -> Iterator[Progress]:
        for slot in more:
            self.all.append(slot)
            yield slot

    @classmethod
    def of(cls, runs: Run | Sequence[Run] | Stack) -> Stack:
        """Make a stack of a run or of several; a stack stays itself."""
        if isinstance(runs, Stack):
            return runs
        return cls([Progress(run) for run in ([runs] if isinstance(runs, Run) else runs)])

    @property
    def first(self) -> Run:
        """A run to read the shared facts from."""
        return self.all[0].run

    @property
    def training(self) -> list[int]:
        """Indices of the slots whose run has not ended."""
        return [index for index, slot in enumerate(self.slots) if slot.training]

    @property
    def done(self) -> bool:
        """Whether no run is left to train."""
        return self._next is None and not self.training

    @property
    def waits(self) -> bool:
        """Whether a run waits for a slot."""
        return self._next is not None

    def fail(self, progress: Progress, error: Exception) -> None:
        """End a run with the error that its own code raised; raise any other.

        Raises
        ------
        Exception
            The error, if it is not the run's alone, or if this stack does not keep going.
        """
        if not self.keep_going or not is_a_run_s(error):
            raise error
        progress.fail(error)
        self.failed.append(progress)

    def refill(self) -> None:
        """Give the slots of ended runs to those that wait."""
        for index, slot in enumerate(self.slots):
            if not slot.training and self._next is not None:
                self.slots[index] = self._next
                self._next = next(self._waiting, None)
