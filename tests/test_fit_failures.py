"""A run whose own code raises an error is recorded as failed, and the others go on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from fit_cases import compare
from helpers import SMALL
from numpy.typing import NDArray
from torch import Tensor

import study
from reports.read import read as read_for_reports
from study.fit import main
from study.nn.losses import Loss
from study.records.columns import history_columns, run_columns
from study.records.reading import recorded
from study.status import main as status
from study.training import stack_evaluation

FAILING = "STUDY_TEST_FAILING_SEEDS"


def breaks(
    pixels: NDArray[np.float32], seed: int, stream: str, mean: float, deviation: float
) -> NDArray[np.float32]:
    """Return images as they are, but raise an error for some seeds."""
    if str(seed) in os.environ.get(FAILING, "").split():
        raise ZeroDivisionError(f"no images\nfor seed {seed}")
    return pixels


def _never(p: Tensor, labels: Tensor) -> Tensor:
    raise ZeroDivisionError("no loss\nat all")


no_loss = Loss(_never)


class Clumsy(pl.Callback):
    """Raises an error at the end of an epoch."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 4 and FAILING in os.environ:
            raise KeyError("a key")


class Boom(torch.optim.SGD):
    """Raises an error at its fourth step."""

    def step(self, closure: Any = None) -> None:
        super().step(closure)
        self.steps = getattr(self, "steps", 0) + 1
        if self.steps == 4:
            raise ZeroDivisionError("no step")


def test_a_run_whose_own_optimizer_fails_is_recorded_so_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    mixed = '[{class_path: "test_fit_failures:Boom", lr: 0.01}, {lr: 0.01}]'
    assert fit(path, tmp_path / "out", "--seeds", "2", "--vary", f"{{optimizer: {mixed}}}") == 1
    assert "2 failed: the same command trains them again" in capsys.readouterr().out
    runs, history = study.load(tmp_path / "out")
    failed = runs["optimizer.class_path"].str.contains("Boom")
    assert runs[failed]["error"].tolist() == ["ZeroDivisionError: no step"] * 2
    assert runs[~failed]["status"].tolist() == ["finished"] * 2
    assert set(history["run"]) == set(runs[~failed]["run"])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    inputs = "{dataset: digits, train_examples: 300, inputs: 'test_fit_failures:breaks'}"
    path.write_text(SMALL.replace("{dataset: digits, train_examples: 300}", inputs))
    return path


def fit(config: Path, out: Path, *more: str) -> int:
    return main(["--config", str(config), "--out", str(out), *more])


@pytest.fixture
def whole(config: Path, tmp_path: Path) -> Path:
    """Return the folder of the study of three seeds, trained without a failure."""
    assert fit(config, tmp_path / "whole", "--seeds", "3") == 0
    return tmp_path / "whole"


@pytest.mark.parametrize("stack", ["auto", "1", "2"])
def test_runs_whose_data_cannot_be_prepared_fail_and_the_others_are_as_ever(
    stack: str,
    config: Path,
    whole: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    monkeypatch.setenv(FAILING, "0 1")
    capsys.readouterr()
    assert fit(config, out, "--seeds", "3", "--stack", stack) == 1
    said = capsys.readouterr().out
    error = "ZeroDivisionError: no images for seed"
    assert "4 failed: the same command trains them again\n" in said
    assert f"  label_noise 0, seed 0 and 1 more: {error} 0\n" in said
    assert f"  label_noise 0, seed 1 and 1 more: {error} 1\n" in said
    runs, history = study.load(out)
    assert set(runs.columns) == set(run_columns())
    assert runs["status"].tolist() == ["failed"] * 4 + ["finished"] * 2
    assert runs["error"].tolist() == [f"{error} 0"] * 2 + [f"{error} 1"] * 2 + [None] * 2
    failed = runs[runs["status"] == "failed"]
    assert failed[["data_hash", "labels_hash", "weights_hash"]].isna().all().all()
    assert not set(failed["run"]) & set(history["run"])
    assert len(list(out.glob("weights/*"))) == 2
    good = study.load(whole)[0].query("seed == 2").drop(columns="seconds")
    pd.testing.assert_frame_equal(
        runs.query("seed == 2").drop(columns="seconds"), good, check_exact=True
    )
    # Whoever reads on leaves them out.
    assert [run.seed for run, _, _ in recorded(out)] == [2, 2]
    read = read_for_reports([out])
    assert read.runs["seed"].tolist() == [2, 2]
    assert any("4 runs that failed" in line for line in read.left_out)
    assert status([str(out)]) == 4
    assert "small: 2 of 6 runs done (2 finished)\n" in (said := capsys.readouterr().out)
    assert "4 failed: the next start of the same command trains them again" in said


def test_the_next_start_trains_failed_runs_again_and_their_rows_are_superseded(
    config: Path,
    whole: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    monkeypatch.setenv(FAILING, "0 1")
    for _ in range(2):  # the second time they fail again
        assert fit(config, out, "--seeds", "3") == 1
    assert len(study.load(out)[0]) == 6
    monkeypatch.setenv(FAILING, "")
    capsys.readouterr()
    assert fit(config, out, "--seeds", "3", "--plan") == 0
    assert "2 of them already recorded" in capsys.readouterr().out
    assert fit(config, out, "--seeds", "3") == 0
    assert "failed" not in capsys.readouterr().out
    compare(whole, out)
    assert status([str(out)]) == 0
    assert fit(config, out, "--seeds", "3") == 0
    assert "all 6 runs are recorded already" in capsys.readouterr().out


def test_when_all_runs_fail_there_is_no_history(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FAILING, "0 1")
    assert fit(config, tmp_path / "out", "--wandb.mode", "offline") == 1
    runs, history = study.load(tmp_path / "out")
    assert runs["status"].tolist() == ["failed"] * 4
    assert list(history.columns) == history_columns()
    assert not list((tmp_path / "out").glob("wandb/offline-run-*"))
    with pytest.raises(study.BadInput, match="at least one run that ended"):
        read_for_reports([tmp_path / "out"])


def test_a_run_whose_evaluation_raises_an_error_fails_in_that_epoch(
    config: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = stack_evaluation.evaluate
    calls = {"number": 0}

    def sometimes(network: Any, data: Any) -> dict[str, float]:
        calls["number"] += 1
        if calls["number"] == 14:  # the second run's third
            raise AttributeError("no such measure")
        return evaluate(network, data)

    monkeypatch.setattr(stack_evaluation, "evaluate", sometimes)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert fit(config, tmp_path / "out", "--seeds", "3") == 1
    runs, history = study.load(tmp_path / "out")
    (failed,) = runs[runs["status"] == "failed"].to_dict("records")
    assert (failed["epochs"], failed["error"]) == (2, "AttributeError: no such measure")
    others, other_history = study.load(whole)
    rest = others[others["run"] != failed["run"]]
    assert (
        rest["weights_hash"].tolist() == runs.dropna(subset="weights_hash")["weights_hash"].tolist()
    )
    rest_history = other_history[other_history["run"] != failed["run"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(history, rest_history, check_exact=True)


def test_memory_and_files_that_are_missing_are_no_run_s_own_fault(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(network: Any, data: Any) -> dict[str, float]:
        raise OSError("the disk is gone")

    monkeypatch.setattr(stack_evaluation, "evaluate", full)
    assert fit(config, tmp_path / "out") == 1
    assert study.load(tmp_path / "out")[0].empty


def test_an_error_of_a_callback_ends_the_command_with_a_line_and_loses_nothing(
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, callbacks = tmp_path / "out", "[{class_path: test_fit_failures.Clumsy}]"
    more = ["--trainer.callbacks", callbacks, "--seeds", "1"]
    assert fit(config, tmp_path / "whole", *more) == 0
    monkeypatch.setenv(FAILING, "")
    capsys.readouterr()
    assert fit(config, out, *more) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "study.fit: trainer.callbacks: test_fit_failures.Clumsy raised KeyError: 'a key'; "
        "go on with: python -m study.fit"
    )
    assert list(out.glob("checkpoints/*.safetensors"))
    monkeypatch.delenv(FAILING)
    assert fit(config, out, *more) == 0
    compare(tmp_path / "whole", out)


def test_an_error_in_a_stack_of_the_user_s_own_is_raised_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(FAILING, "0")
    run = study.Run.of({"data.dataset": "digits", "data.inputs": "test_fit_failures:breaks"})
    with pytest.raises(ZeroDivisionError):
        study.StackData([run]).setup()


def test_an_error_in_code_that_a_stack_shares_is_one_line_that_says_where(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(config, tmp_path / "out", "--model.loss", "test_fit_failures:no_loss") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "a stack with test_fit_failures:breaks, test_fit_failures:no_loss raised" in line
    assert "ZeroDivisionError: no loss at all" in line
    assert f"{Path(__file__).name}, line " in line
    assert "go on with: python -m study.fit" in line
