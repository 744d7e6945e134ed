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


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_lines_into_a_closed_pipe_are_forgotten(stream: str) -> None:
    code = (
        "from reports.output import complain, flush, say\n"
        "for number in range(9_999):\n"
        "    say(f'line {number}' * 99)\n"
        "    complain(f'line {number}' * 99)\n"
        "flush()\n"
    )
    status, other = with_closed(stream, "-c", code)
    assert status == 0
    assert other.splitlines()[-1] == "line 9998" * 99


def test_what_an_encoding_lacks_is_escaped(tmp_path: Path) -> None:
    code = r"from reports.output import *; say('\xe9 \u2013 \udcff'); complain('\xe9')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env=environment(**ASCII),
        check=True,
    )
    assert done.stdout == b"\\xe9 \\u2013 \\udcff\n"
    assert done.stderr == b"\\xe9\n"
    utf8 = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env=environment(PYTHONIOENCODING="utf-8"),
        check=True,
    )
    assert utf8.stdout == "é – \\udcff\n".encode()


def test_a_command_started_without_streams(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -m reports '{tmp_path}' >&- 2>&-"],
        env=environment(),
        check=False,
    )
    assert done.returncode == 2
