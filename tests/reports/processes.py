"""Commands in processes of their own, with narrow encodings and closed pipes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


def command(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "reports", *arguments],
        env=environment(**more),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
