"""Tasks: the processes that train a study. Each task's file says what it does and that it lives.

Only its task writes tasks/<task>.json in the study's folder, every few seconds with a higher
``beat``. The file stays when the task has ended. A dead task is recognised by its file's state,
its missing process or a ``beat`` that no longer rises.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

from study.base.files import file_time, write_whole
from study.runs.events import LiveStack, Observer

BEAT_SECONDS = 10.0
LAPSE_SECONDS = 60.0  # a task on another machine counts as gone after so long without a beat
TRAINING, DONE, INTERRUPTED, FAILED = "training", "done", "interrupted", "failed"


class Task(Observer):
    """The present process, as one of the tasks that train a study.

    Parameters
    ----------
    folder
        The study's folder.
    share
        The task's share of the runs, e.g. ``2/4``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Task(Path(folder)) as task:
    ...         during = tasks_of(Path(folder))[task.name]["state"]
    ...     during, tasks_of(Path(folder))[task.name]["state"]
    ('training', 'done')
    """

    def __init__(self, folder: Path, share: str = "1/1") -> None:
        self.name = uuid4().hex[:12]
        self.path = folder / "tasks" / f"{self.name}.json"
        self.state = TRAINING
        self._content: dict[str, Any] = {
            "task": self.name,
            "share": share,
            "began": time.time(),
            **identity(),
        }
        self._progress: dict[str, Any] = {"runs": {}, "ended": 0, "epochs": 0}
        self._beat = 0
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._keep_beating, daemon=True)

    def __enter__(self) -> Task:
        self._write()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.state == TRAINING:
            self.state = DONE if kind is None else FAILED
        self._stop.set()
        self._thread.join()
        # On a full disk this fails, which must not hide the error that ended the task.
        with contextlib.suppress(OSError):
            self._write()

    def epoch_ended(self, stack: LiveStack) -> None:
        """Note the stack's progress for the next beat."""
        self.progress(
            {each.run.id: each.epoch for each in stack.training},
            ended=len(stack.ended),
            epochs=len(stack.training) + len(stack.ended),
        )

    def progress(self, runs: Mapping[str, int], ended: int, epochs: int) -> None:
        """Note progress, which the next beat writes.

        Parameters
        ----------
        runs
            Epoch of each training run, by its id.
        ended, epochs
            Runs recorded, and epochs trained over all runs, since the last call.
        """
        self._progress = {
            "runs": dict(runs),
            "ended": self._progress["ended"] + ended,
            "epochs": self._progress["epochs"] + epochs,
        }

    def _keep_beating(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            # By the next beat the disk or memory may have room again.
            with contextlib.suppress(OSError, MemoryError):
                self._write()

    def _write(self) -> None:
        with self._writing:
            self._beat += 1
            content = {
                **self._content,
                **self._progress,
                "state": self.state,
                "beat": self._beat,
                "seconds": time.monotonic() - self._began,
            }
            write_whole(self.path, json.dumps(content).encode())


def identity() -> dict[str, Any]:
    """Return values that identify this process, on this machine and under Slurm."""
    job = os.environ.get("SLURM_ARRAY_JOB_ID") or os.environ.get("SLURM_JOB_ID")
    numbers = [os.environ.get(name) for name in ("SLURM_ARRAY_TASK_ID", "SLURM_PROCID")]
    return {
        "host": platform.node(),
        "machine": _machine(),
        "pid": os.getpid(),
        "born": _born(os.getpid()),
        "job": None if job is None else "_".join([job, *(n for n in numbers if n is not None)]),
        "restarts": _restarts(os.environ.get("SLURM_RESTART_COUNT", "")),
    }


def _restarts(text: str) -> int:
    """Return how often Slurm has restarted this job; 0 for text that Slurm cannot have written."""
    return int(text) if text.isascii() and text.isdecimal() else 0


def _machine() -> str:
    """Name the booted system and its process-id namespace, as each container has its own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{platform.node()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _born(pid: int) -> str | None:
    """Return the start time of a process on this machine, None when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    # A zombie has ended, but its parent has not read its exit status yet.
    return None if fields[0] in "ZX" else fields[19]


def _hidden(pid: int) -> bool:
    """Tell whether a process belongs to another user on a system that hides such processes."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return _born(pid) is None
    except OSError:
        return False
    return False


def read_task(folder: Path, name: str) -> dict[str, Any] | None:
    """Return the content of a task's file, None when the file is missing or damaged.

    Raises
    ------
    OSError
        The file cannot be read just now.
    """
    try:
        content = json.loads((folder / "tasks" / f"{name}.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) and "beat" in content else None


def tasks_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the content of every task's file, by the task's name, in the order of their start."""
    names = [path.stem for path in (folder / "tasks").glob("*.json")]
    found = {}
    for name in names:
        with contextlib.suppress(OSError):
            if content := read_task(folder, name):
                found[name] = content
    return dict(sorted(found.items(), key=lambda item: item[1]["began"]))


class Watch:
    """Tells which tasks are gone, without comparing the clocks of two machines.

    A task is gone when its file says that it ended, when its process no longer exists on this
    machine, or when it is an earlier start of this process's Slurm job. Any other task is gone when
    its ``beat`` has not risen for `LAPSE_SECONDS` while this process watched.

    Parameters
    ----------
    folder
        The study's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._here = identity()
        self._seen: dict[str, tuple[int | None, float]] = {}
        self._heard: set[str] = set()
        self._ahead: float | None = None

    def gone(self, name: str, *, guess: bool = False) -> bool:
        """Tell whether a task has ended, as far as can be known now.

        Parameters
        ----------
        name
            The task.
        guess
            Also count a task as gone when its file is old and no beat of it has been seen yet.
        """
        try:
            task = read_task(self.folder, name)
        except OSError:  # the file server may fail for a moment
            return self._lapsed(name, None)
        if task is None or task["state"] != TRAINING:
            return True
        here = self._here
        if here["machine"] and task["machine"] == here["machine"] and not _hidden(task["pid"]):
            return bool(_born(task["pid"]) != task["born"])
        same_job = here["job"] is not None and task["job"] == here["job"]
        if same_job and task["restarts"] < here["restarts"]:
            return True
        if self._lapsed(name, task["beat"]):
            return True
        return guess and name not in self._heard and self._old(name)

    def _lapsed(self, name: str, beat: int | None) -> bool:
        now = time.monotonic()
        last, since = self._seen.setdefault(name, (beat, now))
        if beat is not None and beat != last:
            self._seen[name] = (beat, now)
            self._heard.add(name)
            return False
        return now - since >= LAPSE_SECONDS

    def _old(self, name: str) -> bool:
        folder = self.folder / "tasks"
        if self._ahead is None:
            try:
                self._ahead = file_time(folder) - time.time()
            except OSError:  # the folder is read-only
                self._ahead = 0.0
        try:
            written = (folder / f"{name}.json").stat().st_mtime
        except OSError:
            return False
        return time.time() + self._ahead - written > LAPSE_SECONDS
