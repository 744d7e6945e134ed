"""Removes locks and checkpoints of ended runs, which a killed process may leave behind."""

from __future__ import annotations

from collections.abc import Iterable, Set
from pathlib import Path

from study.sharing.locks import lock_history, remove_locks
from study.sharing.tasks import Watch


def drop_locks(folder: Path, runs: Iterable[str]) -> None:
    """Remove locks that dead tasks hold on recorded runs."""
    watch = Watch(folder)
    for run in runs:
        tasks = lock_history(folder, run)
        if tasks and watch.gone(tasks[0], guess=True):
            remove_locks(folder, run, len(tasks))


def drop_states(folder: Path, ended: Set[str]) -> None:
    """Remove checkpoints of dead tasks if every run in the checkpoint is recorded."""
    watch = Watch(folder)
    states = [
        path
        for path in (folder / "checkpoints").glob("*.safetensors")
        if watch.gone(path.name.partition("-")[0], guess=True)
    ]
    if states:
        # Imported only when needed, because it imports torch.
        from study.records.checkpoints import saved_runs

        for path in states:
            runs = saved_runs(path)
            if runs and runs <= ended:
                path.unlink(missing_ok=True)
