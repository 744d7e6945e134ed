"""Memory that is too small for a stack gets a smaller one, and the same bits."""

from __future__ import annotations

import importlib
import re
import resource
from functools import partial
from pathlib import Path

import pytest
from campaign import Trial, same
from helpers import SMALL

MIB = 2**20
WIDE = SMALL.replace("hidden: [32]", "hidden: [1024, 1024]").replace("seeds: 2", "seeds: 16")


def limit(more: int) -> None:
    """Let this process have so much more address space than it has, all libraries loaded."""
    for name in ("pyarrow.parquet", "pandas", "safetensors.torch", "study.terminal.summary"):
        importlib.import_module(name)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


@pytest.mark.slow
def test_a_stack_that_does_not_fit_is_made_smaller_until_one_does(
    tmp_path: Path,
) -> None:
    options = (
        "--stack",
        "32",
        "--products",
        "blas",
        "--keep_weights",
        "false",
        "--trainer.max_epochs",
        "1",
    )
    trial = Trial(tmp_path / "limited", options, WIDE)
    said = trial.finish(prepare=partial(limit, 500 * MIB))  # 32 need more than 700
    tried = re.findall(r"out of memory with (\d+) runs at once: trying (\d+)", said)
    assert tried[0] == ("32", "16")
    whole = Trial(tmp_path / "whole", options, WIDE)
    whole.finish()
    same(whole, trial)


@pytest.mark.slow
@pytest.mark.parametrize("more", [30, 50])
def test_memory_for_not_even_one_run_is_a_line_and_no_traceback(more: int, tmp_path: Path) -> None:
    trial = Trial(tmp_path, ("--stack", "2", "--trainer.max_epochs", "2"), WIDE)
    said = trial.finish(status=1, prepare=partial(limit, more * MIB))
    (line,) = [line for line in said.splitlines() if line.startswith("study.fit: ")]
    assert "go on with: python -m study.fit --config" in line
