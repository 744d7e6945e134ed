"""The Slurm that the other tests use does what they rely on."""

from __future__ import annotations

from pathlib import Path

import pytest
from slurm_here import Slurm

pytestmark = pytest.mark.slow

SLEEPS = "sleep 60"
FIRST_SLEEPS = 'echo "$SLURMD_NODENAME"; [ -n "$SLURM_RESTART_COUNT" ] || sleep 60'


def submit(slurm: Slurm, folder: Path, *argv: str) -> str:
    log = folder / "%A_%a.out"
    return slurm.sbatch("--requeue", "--open-mode=append", f"--output={log}", *argv)


def test_four_tasks_run_at_once(slurm: Slurm, tmp_path: Path) -> None:
    job = submit(slurm, tmp_path, "--array=0-3", "--cpus-per-task=2", f"--wrap={SLEEPS}")
    tasks = slurm.wait(job, states={"RUNNING"})
    assert set(tasks) == {f"{job}_{number}" for number in range(4)}
    slurm.cancel(job)
    assert {task.state for task in slurm.wait(job).values()} == {"CANCELLED"}


def test_a_task_says_how_it_failed(slurm: Slurm, tmp_path: Path) -> None:
    job = submit(slurm, tmp_path, "--array=3,9", "--wrap=exit $SLURM_ARRAY_TASK_ID")
    tasks = slurm.wait(job)
    assert {(task.state, task.status) for task in tasks.values()} == {("FAILED", 3), ("FAILED", 9)}


def test_a_requeued_task_starts_again_at_once(slurm: Slurm, tmp_path: Path) -> None:
    job = submit(slurm, tmp_path, "--array=0", f"--wrap={FIRST_SLEEPS}")
    slurm.wait(job, states={"RUNNING"})
    slurm.requeue(f"{job}_0")
    (task,) = slurm.wait(job, timeout=30).values()
    assert (task.state, task.restarts) == ("COMPLETED", 1)


def test_a_task_whose_node_fails_starts_again_on_another(slurm: Slurm, tmp_path: Path) -> None:
    job = submit(slurm, tmp_path, "--array=0", f"--wrap={FIRST_SLEEPS}")
    (task,) = slurm.wait(job, states={"RUNNING"}).values()
    slurm.down(task.node)
    try:
        slurm.hurry(job)
        (again,) = slurm.wait(job, timeout=30).values()
    finally:
        slurm.resume(task.node)
    assert (again.state, again.restarts) == ("COMPLETED", 1)
    assert again.node != task.node
