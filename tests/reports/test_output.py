"""Closed pipes and narrow encodings end no command with a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}


def environment(**more: str) -> dict[str, str]:
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    return kept | {"PYTHONPATH": str(ROOT)} | more


def with_closed(stream: str, *arguments: str) -> tuple[int, str]:
    """Run Python with a pipe that nobody reads; return its status and what the other pipe got."""
    reader, writer = os.pipe()
    os.close(reader)
    other = {"stdout": "stderr", "stderr": "stdout"}[stream]
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            **{stream: writer, other: subprocess.PIPE},  # type: ignore[call-overload]
            env=environment(),
            text=True,
            check=False,
        )
    finally:
        os.close(writer)
    return done.returncode, getattr(done, other)


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
