"""What the tests of `study.fit` share: a config, the command, waiting, and comparing records."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pandas as pd

import study
from study.fit import main


def fit(config: Path, out: Path, *more: str) -> int:
    return main(["--config", str(config), "--out", str(out), *more])


def command_line(config: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "study.fit", "--config", str(config), "--out", str(out), *more]


def wait_for(condition: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    assert callable(condition)
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def compare(first: Path, second: Path, *but: str) -> None:
    """Assert that two folders hold the same records, all but how long they took, and ``but``."""
    (runs, history), (other_runs, other_history) = study.load(first), study.load(second)
    apart = ["seconds", *but]
    pd.testing.assert_frame_equal(
        runs.drop(columns=apart), other_runs.drop(columns=apart), check_exact=True
    )
    pd.testing.assert_frame_equal(history, other_history, check_exact=True)
