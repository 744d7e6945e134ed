"""Killed at any moment and resumed is the same as never killed, to the bit."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from helpers import SMALL, fit_process
from test_fit import compare

from study.fit import main

KILLS = 10


@pytest.mark.slow
def test_ten_kills_at_random_moments_change_no_bit(tmp_path: Path) -> None:
    config = tmp_path / "small.yaml"
    config.write_text(SMALL)
    argv = ["--config", str(config), "--trainer.max_epochs", "250", "--stack", "3"]
    whole, log = tmp_path / "whole", tmp_path / "log"
    assert main([*argv, "--out", str(whole)]) == 0
    moments = random.Random(0)
    kills = 0
    for attempt in range(40):
        cut = tmp_path / f"cut{attempt}"
        while kills < KILLS:
            process = fit_process([*argv, "--out", str(cut)], log)
            process.join(moments.uniform(0.5, 4.0))
            if process.exitcode is not None:
                assert process.exitcode == 0, log.read_text()
                break
            process.kill()
            process.join()
            kills += 1
        assert main([*argv, "--out", str(cut)]) == 0
        compare(whole, cut)
        assert list((cut / "checkpoints").glob("*.safetensors")) == []
        if kills == KILLS:
            return
    pytest.fail(f"only {kills} kills hit a running study")


@pytest.mark.slow
def test_two_processes_on_one_folder_leave_what_one_leaves(tmp_path: Path) -> None:
    config = tmp_path / "small.yaml"
    config.write_text(SMALL)
    argv = ["--config", str(config), "--trainer.max_epochs", "30"]
    assert main([*argv, "--out", str(tmp_path / "one")]) == 0
    log = tmp_path / "log"
    both = [fit_process([*argv, "--out", str(tmp_path / "two")], log) for _ in range(2)]
    for process in both:
        process.join(120)
        assert process.exitcode == 0, log.read_text()
    compare(tmp_path / "one", tmp_path / "two")
