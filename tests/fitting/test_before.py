"""What is tidied before a training begins, and what another task still needs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from study.fitting.before import tidy, work_of
from study.records.checkpoints import Checkpoints, saved_runs
from study.runs.command_line import read
from study.runs.progress import Progress
from study.runs.run import Run
from study.sharing.locks import Locks

FORMAT1 = Path(__file__).parents[1] / "data_folders" / "format1"  # four runs, all recorded


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(FORMAT1, tmp_path / "study")


def start(folder: Path, *more: str) -> None:
    tidy(work_of(read(["--config", str(folder / "study.yaml"), "--out", str(folder), *more])))


def save(folder: Path) -> list[Run]:
    """Save a checkpoint of every run and return the runs."""
    runs = read(["--config", str(folder / "study.yaml")]).study.runs
    for run in runs:
        Checkpoints(folder, pytest.fail).write(Progress(run, epoch=2), {"w": torch.zeros(2)})
    return runs


def test_checkpoints_of_ended_runs_are_removed(folder: Path) -> None:
    save(folder)
    start(folder)
    assert saved_runs(folder) == set()


def test_a_run_that_another_share_trains_again_for_a_measure_keeps_its_checkpoint(
    folder: Path,
) -> None:
    runs = save(folder)
    start(folder, "--measures", "[gradient_probe, weight_norms]", "--shard", "1/2")
    assert saved_runs(folder) == {run.id for run in runs}


def test_a_run_that_another_task_holds_keeps_its_checkpoint(folder: Path) -> None:
    runs = save(folder)
    other = Locks(folder)
    other.take(runs[0].id)
    start(folder)
    assert saved_runs(folder) == {runs[0].id}
    other.close()
