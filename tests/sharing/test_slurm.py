"""Which jobs of a study wait in Slurm's queue, as squeue tells."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import fake_program

from study.sharing.slurm import note_job, queued


def test_jobs_that_were_submitted_or_have_a_task_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = 'case "$*" in *PENDING*--jobs=17,23) echo "17_[1-3]" ;; esac'
    fake_program(tmp_path / "bin", "squeue", script, monkeypatch)
    assert queued(tmp_path, []) == []
    (tmp_path / "slurm").mkdir()
    note_job(tmp_path, "17")
    assert queued(tmp_path, ["23_0_0", "23_1_0"]) == ["17_[1-3]"]


@pytest.mark.parametrize("squeue", ["echo slurm_load_jobs error >&2; exit 1", None])
def test_where_nobody_can_tell_no_job_waits(
    squeue: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if squeue is not None:
        fake_program(tmp_path / "bin", "squeue", squeue, monkeypatch)
    assert queued(tmp_path, ["17_0_0"]) == []
