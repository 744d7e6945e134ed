"""What a process that was killed just after its record left: locks and states of ended runs."""

from __future__ import annotations

from collections.abc import Iterable, Set
from pathlib import Path

from study.sharing.locks import lock_history, remove_locks
from study.sharing.tasks import Watch


def drop_locks(folder: Path, runs: Iterable[str]) -> None:
    """Take away what tasks that are gone have left of locks on some runs that are recorded."""
    watch = Watch(folder)
    for run in runs:
        tasks = lock_history(folder, run)
        if tasks and watch.gone(tasks[0], guess=True):
            remove_locks(folder, run, len(tasks))


def drop_states(folder: Path, ended: Set[str]) -> None:
    """Take away checkpoints of tasks that are gone, where every run in them is recorded."""
    watch = Watch(folder)
    states = [
        path
        for path in (folder / "checkpoints").glob("*.safetensors")
        if watch.gone(path.name.partition("-")[0], guess=True)
    ]
    if states:
        # Late, as it needs torch, and there is seldom any.
        from study.records.checkpoints import saved_runs

        for path in states:
            runs = saved_runs(path)
            if runs and runs <= ended:
                path.unlink(missing_ok=True)
