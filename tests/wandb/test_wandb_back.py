"""What W&B gives back becomes records only where it is a whole run of the study."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from loopback import Loopback
from wandb_client import (
    environment,
    study_wandb,
)

import study
from study.wandb.content import Fetched
from study.wandb.restore import fault_of, restore


@pytest.mark.parametrize("epochs", [[], [0, 1, 2], [0, 1, 3], [1, 2, 3]])
def test_a_run_whose_history_is_not_whole_gives_no_records(
    epochs: list[int], tmp_path: Path
) -> None:
    record = {"study": "name: small\nseeds: 2\n"}
    rows = [{"epoch": epoch} for epoch in epochs]
    config = {"study": "small", "record": record, "evaluate_every": 1, "run": "a"}
    fetched = Fetched("a", config, rows, {"status": "fitted", "epoch": 3}, [], [])
    with pytest.raises(study.BadInput, match="a: its history lacks"):
        restore([fetched], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_studies_of_one_group_are_not_mixed() -> None:
    record = {"study": "name: other\n"}
    config = {"study": "other", "record": record, "evaluate_every": 1, "run": "a"}
    fetched = Fetched("a", config, [{"epoch": 0}], {"status": "fitted", "epoch": 0}, [], [])
    assert fault_of(fetched, "") == ""
    assert fault_of(fetched, "small") == "a run of the study other, not of small"


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("lab", "pull: expected ENTITY/PROJECT/GROUP, found 'lab'"),
        ("lab/study/other", "pull: expected runs of lab/study/other, found 0"),
    ],
)
def test_pulling_what_is_not_there_is_one_line(source: str, complaint: str, tmp_path: Path) -> None:
    with Loopback() as server:
        done = subprocess.run(
            [sys.executable, "-m", "study.wandb", "pull", source, "--out", str(tmp_path / "out")],
            env={**os.environ, **environment(server, tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_reading_what_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert study_wandb("read", str(tmp_path)) == 2
    assert "expected folders offline-run-*, found 0" in capsys.readouterr().err
    (tmp_path / ".writing-1" / "wandb" / "offline-run-1-a").mkdir(parents=True)
    assert study_wandb("read", str(tmp_path)) == 2
    assert "expected folders offline-run-*, found 0" in capsys.readouterr().err
    (tmp_path / "offline-run-1-a").mkdir()
    (tmp_path / "offline-run-1-a" / "run-a.wandb").write_bytes(b"something else")
    assert study_wandb("read", str(tmp_path)) == 2
    assert "expected a file of an offline W&B run" in capsys.readouterr().err
