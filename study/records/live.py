"""What a task writes while it trains: one file that grows, so that readers see a training live.

progress/<task>.jsonl has a JSON line for the task's start, one for each epoch that a stack has
trained, with the rows of history that are new, and one for the task's end. A process that is killed
leaves its file without the last line; who reads it asks `study.sharing.locks` whether the task's
lock is still held. Rows of runs that are recorded are of no use any more and go when the task ends.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import time
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any
from uuid import uuid4

from pydantic import Field, TypeAdapter
from pydantic_core import from_json
from typing_extensions import TypedDict

from study.base.errors import BadInput, LeftOut
from study.base.files import files_in, make_room, open_regular, write_whole
from study.runs.events import LiveStack, Observer
from study.runs.progress import FAILED

TRAINING, DONE, INTERRUPTED = "training", "done", "interrupted"
FOLDER = "progress"
LONGEST_LINE, LARGEST = 2**26, 2**31  # bytes
MOST_EPOCHS = 2**31
Number = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Counted = Annotated[int, Field(ge=0, lt=MOST_EPOCHS)]
Word = Annotated[str, Field(max_length=300)]


class Task(TypedDict):
    """What a task last wrote; see `tasks_of`."""

    task: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    share: Word
    began: Number
    host: Word
    pid: int
    job: Word | None
    state: Word
    runs: dict[Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")], Counted]
    ended: Counted
    epochs: Counted
    seconds: Number


TASK = TypeAdapter(Task)
NOT_BEGUN = {"state": TRAINING, "runs": {}, "ended": 0, "epochs": 0, "seconds": 0.0}


class LiveFile(Observer):
    """The file of this task.

    Parameters
    ----------
    folder
        The study's folder.
    share
        Which share of the runs the task begins with, e.g. ``2/4``.

    Attributes
    ----------
    name : str
        The task's name: 12 hexadecimal digits.
    state : str
        How the task ended; set it before leaving.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with LiveFile(Path(folder), "1/2"):
    ...         during = tasks_of(Path(folder))[0]["state"]
    ...     during, tasks_of(Path(folder))[0]["state"]
    ('training', 'done')
    """

    def __init__(self, folder: Path, share: str = "1/1") -> None:
        self.name = uuid4().hex[:12]
        self.path = folder / FOLDER / f"{self.name}.jsonl"
        self.state = TRAINING
        self._start = {"task": self.name, "share": share, "began": time.time(), **whereabouts()}
        self._began = time.monotonic()
        self._ended = self._epochs = 0
        self._runs: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._recorded: set[str] = set()

    def __enter__(self) -> LiveFile:
        make_room(self.path.parent)
        self._append(self._start)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.state == TRAINING:
            self.state = DONE if kind is None else FAILED
        # A disk that is full must not hide the error that it caused.
        with contextlib.suppress(OSError):
            self._append(self._summary())
            drop_rows(self.path.parent.parent, self.name, of=self._recorded)

    def epoch_ended(self, stack: LiveStack) -> None:
        """Write how far the stack has come, and the rows that are new."""
        moved = [*stack.training, *stack.ended]
        self._epochs += len(moved)
        self._ended += len(stack.ended)
        rows = [row for each in moved for row in each.history[self._told.get(each.run.id, 0) :]]
        trained = {each.run.id: each.seconds for each in moved}
        self._runs = {each.run.id: each.epoch for each in stack.training}
        # What finds no room on the disk is written with the next epoch; the training goes on.
        with contextlib.suppress(OSError):
            self._append({**self._summary(rows), "trained": trained})
            self._told = {each.run.id: len(each.history) for each in stack.training}
            self._recorded |= {each.run.id for each in stack.ended}

    def _summary(self, rows: Collection[Mapping[str, Any]] = ()) -> dict[str, Any]:
        return {
            "state": self.state,
            "runs": self._runs,
            "ended": self._ended,
            "epochs": self._epochs,
            "seconds": time.monotonic() - self._began,
            "rows": list(rows),
        }

    def _append(self, line: Mapping[str, Any]) -> None:
        # One write, so that readers see no half of a line but the last one of a killed process.
        with self.path.open("ab", buffering=0) as file:
            text, size = json.dumps(line).encode() + b"\n", file.tell()
            if file.write(text) < len(text):
                file.truncate(size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))


def whereabouts() -> dict[str, Any]:
    """Return where this process runs: its machine, its number there, and its Slurm job."""
    job = os.environ.get("SLURM_ARRAY_JOB_ID") or os.environ.get("SLURM_JOB_ID")
    numbers = [os.environ.get(name) for name in ("SLURM_ARRAY_TASK_ID", "SLURM_PROCID")]
    return {
        "host": platform.node(),
        "pid": os.getpid(),
        "job": None if job is None else "_".join([job, *(n for n in numbers if n is not None)]),
    }


def tasks_of(folder: Path) -> list[Task]:
    """Return what every task of a study last wrote, in the order in which they began.

    Each has ``task``, ``share``, ``began`` (seconds since 1970), ``host``, ``pid``, ``job`` (or
    None), ``state``, ``runs`` (the epoch of each run that trains), ``ended`` and ``epochs`` (how
    many, so far) and ``seconds`` since its start. A file that is damaged is left out.
    """
    found: list[Task] = []
    for path in files_in(folder / FOLDER, "*.jsonl"):
        with _left_out(path):
            with open_regular(path) as file:
                start = file.readline(LONGEST_LINE)
            if start.endswith(b"\n"):  # otherwise the task has just begun
                begun = from_json(start)
                found.append(TASK.validate_python({**NOT_BEGUN, **begun, **_last(path)}))
    return sorted(found, key=lambda task: task["began"])


@contextlib.contextmanager
def _left_out(path: Path) -> Iterator[None]:
    """Warn of a file that cannot be read, and go on without it."""
    try:
        yield
    except FileNotFoundError:  # a task that has just begun, or removed its file
        pass
    except (OSError, ValueError, TypeError, AttributeError) as error:
        why = str(error) if isinstance(error, BadInput) else f"{path}: no task's file"
        warnings.warn(f"{why}; left out", LeftOut, stacklevel=3)


def _last(path: Path) -> dict[str, Any]:
    """Return a file's last whole line but for its rows; {} when that is its first."""
    tail = 2**16
    with open_regular(path) as file:
        size = file.seek(0, os.SEEK_END)
        while True:
            file.seek(max(0, size - tail))
            lines = file.read(tail).split(b"\n")[1:-1]  # the first may be cut, the last is empty
            if lines or tail >= min(size, LONGEST_LINE):
                break
            tail *= 4
    last: dict[str, Any] = from_json(lines[-1]) if lines else {}
    last.pop("rows", None)
    return last


def rows_of(folder: Path, but: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of history of all runs ``but`` those that are recorded."""
    for path in files_in(folder / FOLDER, "*.jsonl"):
        with _left_out(path):
            yield from (row for row in _rows(path) if row["run"] not in but)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with open_regular(path, LARGEST) as file:
        while line := file.readline(LONGEST_LINE):
            with contextlib.suppress(ValueError, TypeError, KeyError):
                yield from filter(_is_row, from_json(line)["rows"] if line.endswith(b"\n") else ())


def _is_row(row: dict[str, Any]) -> bool:
    """Tell whether something is a row of history: a run, an epoch, and numbers."""
    numbers = (value for name, value in row.items() if name != "run" and value is not None)
    epoch = row["epoch"]
    return (
        isinstance(row["run"], str)
        and type(epoch) is int
        and 0 <= epoch < MOST_EPOCHS
        and all(type(n) is float or (type(n) is int and abs(n) < 2**63) for n in numbers)
    )


def new_rows(
    folder: Path, read: dict[Path, tuple[int, int]], task: str = "*"
) -> Iterator[tuple[float, float | None, dict[str, Any]]]:
    """Yield the rows of history that tasks have written since the last call.

    Parameters
    ----------
    folder
        The study's folder.
    read
        The files read so far, and how far; updated. A file that was written anew is read again.
    task
        The task whose rows are wanted; all tasks' by default.

    Yields
    ------
    at
        When it wrote the row, in seconds since 1970.
    seconds
        How long it had trained the run by then; None when an earlier version wrote the row.
    row
        The row.
    """
    for path in files_in(folder / FOLDER, f"{task}.jsonl"):
        with _left_out(path), open_regular(path, LARGEST) as file:
            number, start = (
                os.fstat(file.fileno()).st_ino,
                TASK.validate_python({**NOT_BEGUN, **from_json(file.readline())}),
            )
            before, end = read.get(path, (number, 0))
            file.seek(end if before == number else 0)
            while (text := file.readline(LONGEST_LINE)).endswith(b"\n"):  # the last may be cut
                read[path] = number, file.tell()
                with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                    line = from_json(text)
                    at, trained = start["began"] + line["seconds"], line.get("trained", {})
                    for row in filter(_is_row, line.get("rows", ())):
                        yield at, trained.get(row["run"]), row


def drop_rows(folder: Path, task: str, of: Collection[str]) -> None:
    """Drop the rows of recorded runs from the file of a task that has ended."""
    path = folder / FOLDER / f"{task}.jsonl"
    rows = list(_rows(path))
    kept = [row for row in rows if row["run"] not in of]
    if len(kept) < len(rows):
        with open_regular(path) as file:
            start = file.readline(LONGEST_LINE)
        last = json.dumps({**_last(path), "rows": kept}).encode()
        write_whole(path, start + last + b"\n")
