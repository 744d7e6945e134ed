"""Closed pipes and narrow encodings end no command with a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from processes import environment, with_closed


@pytest.mark.parametrize("module", ["reports", "reports.wandb"])
def test_help_into_a_closed_pipe(module: str) -> None:
    assert with_closed("stdout", "-m", module, "--help") == (0, "")


@pytest.mark.parametrize("module", ["reports", "reports.wandb"])
def test_bad_input_keeps_its_status_though_nobody_reads_why(module: str, tmp_path: Path) -> None:
    assert with_closed("stderr", "-m", module, str(tmp_path)) == (2, "")
    assert with_closed("stderr", "-m", module, "--no-such-option") == (2, "")


def test_a_command_started_without_streams(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -m reports '{tmp_path}' >&- 2>&-"],
        env=environment(),
        check=False,
    )
    assert done.returncode == 2
