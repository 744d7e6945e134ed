"""Locks on runs, so that no two tasks train the same run.

claims/<run>.<n> in the study's folder is a symbolic link to the name of the n-th task that locked
the run; the task of the highest n holds the lock. Making a link is one atomic step that fails if
the link exists, on local disks, NFS and Lustre alike. Another task takes over the lock of a dead
task by making the next link. All links are removed once the run is recorded. The earlier tasks'
names tell where the run's checkpoints are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

from study.base.files import make_room
from study.sharing.tasks import Task, Watch


class Locks:
    """The locks of one task.

    Parameters
    ----------
    folder
        The study's folder.
    task
        The task that takes the locks.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Task(Path(folder)) as one, Task(Path(folder)) as two:
    ...         mine, theirs = Locks(Path(folder), one), Locks(Path(folder), two)
    ...         mine.take("a"), theirs.take("a"), theirs.take("b")
    ([], None, [])
    """

    def __init__(self, folder: Path, task: Task) -> None:
        self.folder = folder / "claims"
        self.task = task
        self.watch = Watch(folder)
        self._numbers: dict[str, int] = {}

    def take(self, run: str) -> list[str] | None:
        """Lock a run.

        Returns
        -------
        list of str or None
            The tasks that locked the run before, the last one first; None when a living task
            holds the lock.
        """
        make_room(self.folder)
        while True:
            before = self.history(run)
            if before and before[0] == self.task.name:
                return before[1:]
            if before and not self.watch.gone(before[0]):
                return None
            try:
                (self.folder / f"{run}.{len(before)}").symlink_to(self.task.name)
            except FileExistsError:
                continue  # another task was faster: read the links again
            self._numbers[run] = len(before)
            return before

    def holder(self, run: str) -> str | None:
        """Return the other living task that holds a run's lock, None when there is none."""
        before = self.history(run)
        theirs = before and before[0] != self.task.name and not self.watch.gone(before[0])
        return before[0] if theirs else None

    def history(self, run: str) -> list[str]:
        """Return the tasks that have locked a run, the last one first."""
        return lock_history(self.folder.parent, run)

    def release(self, runs: Iterable[str]) -> None:
        """Remove the locks of recorded runs.

        A task that locks the run between two of these removals will find it recorded.
        """
        for run in runs:
            most = max(len(self.history(run)), self._numbers.pop(run, 0) + 1)
            remove_locks(self.folder.parent, run, most)


def lock_history(folder: Path, run: str) -> list[str]:
    """Return the tasks that have locked a run of a study, the last one first."""
    tasks: list[str] = []
    for number in itertools.count():
        try:
            tasks.insert(0, str((folder / "claims" / f"{run}.{number}").readlink()))
        except FileNotFoundError:
            break
    return tasks


def remove_locks(folder: Path, run: str, number: int) -> None:
    """Remove the first ``number`` locks of a run, the last first, so that ``.0`` goes last."""
    for each in reversed(range(number)):
        (folder / "claims" / f"{run}.{each}").unlink(missing_ok=True)


def held_locks(folder: Path) -> dict[str, str]:
    """Return the task that holds each locked run of a study, by the run's id."""
    holders: dict[str, tuple[int, str]] = {}
    for path in (folder / "claims").glob("*.*"):
        run, _, number = path.name.partition(".")
        try:
            holder = (int(number), str(path.readlink()))
        except (OSError, ValueError):
            continue
        holders[run] = max(holder, holders.get(run, holder))
    return {run: task for run, (_, task) in holders.items()}
