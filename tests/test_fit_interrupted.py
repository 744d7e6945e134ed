"""Training that is stopped: by a signal, a callback, a closed output, a folder that goes."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import pytorch_lightning as pl
from fit_cases import command_line, compare, fit, wait_for
from helpers import fit_process

import study
from study.fit import main
from study.records.checkpoints import Checkpoints, saved_runs
from study.runs.command_line import read


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGUSR1, marks=pytest.mark.slow),
    ],
)
def test_interrupted_saves_says_how_to_go_on_and_resumes_to_the_same_bits(
    number: signal.Signals, config: Path, tmp_path: Path
) -> None:
    long = ["--trainer.max_epochs", "60"]
    assert fit(config, tmp_path / "whole", *long) == 0
    argv = ["--config", str(config), "--out", str(tmp_path / "cut"), *long]
    log = tmp_path / "log"
    process = fit_process([*argv, "--checkpoint_every", "1"], log)
    wait_for(lambda: any((tmp_path / "cut").glob("checkpoints/*")))
    signal_to(process.pid, number)
    process.join(60)
    assert process.exitcode == 130
    assert "go on with: python -m study.fit --config" in " ".join(log.read_text().split())
    assert any((tmp_path / "cut" / "checkpoints").iterdir())
    assert main(argv) == 0
    compare(tmp_path / "whole", tmp_path / "cut")


def stop(trainer: pl.Trainer) -> None:
    """Stop where no look at a callback's code finds it."""
    trainer.should_stop = True


class Stops(pl.Callback):
    """Ends the training after the third epoch."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 2:
            stop(trainer)


def test_a_callback_that_stops_training_is_told_and_leaves_it_to_be_resumed(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(config, tmp_path / "whole") == 0
    stops = ["--trainer.callbacks", "[{class_path: test_fit_interrupted.Stops}]"]
    capsys.readouterr()
    assert fit(config, tmp_path / "cut", *stops) == 2
    printed = capsys.readouterr()
    line = "study.fit: trainer.callbacks: expected callbacks that only observe, found 'Stops'; "
    assert printed.err.startswith(line)
    assert "the state is saved" in printed.err
    assert "go on with" not in printed.out + printed.err
    runs = read(["--config", str(config)]).study.runs
    assert saved_runs(tmp_path / "cut") == {run.id for run in runs}
    checkpoints = Checkpoints(tmp_path / "cut", pytest.fail)
    assert [checkpoints.take_up(run).epoch for run in runs] == [3] * len(runs)
    assert fit(config, tmp_path / "cut") == 0
    compare(tmp_path / "whole", tmp_path / "cut")


def test_a_signal_before_the_first_step_is_no_success(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    callbacks = "[{class_path: helpers.Terminate}]"
    assert fit(config, tmp_path / "out", "--trainer.callbacks", callbacks) == 130
    printed = capsys.readouterr()
    assert "go on with" in printed.out + printed.err
    assert fit(config, tmp_path / "out") == 0
    assert len(study.load(tmp_path / "out")[0]) == 4


@pytest.mark.parametrize(
    ("closed", "environment"),
    [
        pytest.param("| true", {}, marks=pytest.mark.slow),
        ("| head -1 >/dev/null", {}),
        pytest.param(
            "2>&1 | true", {"FORCE_COLOR": "1"}, id="a live table", marks=pytest.mark.slow
        ),
        pytest.param(">&- 2>&-", {}, marks=pytest.mark.slow),
    ],
)
def test_a_closed_output_stops_no_training(
    closed: str, environment: dict[str, str], config: Path, tmp_path: Path
) -> None:
    words = shlex.join(command_line(config, tmp_path / "out"))
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{words} {closed}"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(study.load(tmp_path / "out")[0]) == 4


@pytest.mark.parametrize("how", ["removed", "renamed"])
def test_a_folder_that_is_removed_stops_the_training_with_a_line_and_stays_removed(
    how: str, config: Path, tmp_path: Path
) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    argv = ["--config", str(config), "--out", str(out), "--trainer.max_epochs", "100000"]
    process = fit_process(argv, log)
    wait_for(lambda: any(out.glob("checkpoints/*")))
    out.rename(tmp_path / "elsewhere")
    if how == "removed":
        shutil.rmtree(tmp_path / "elsewhere")
    process.join(60)
    assert process.exitcode == 1
    (line,) = [line for line in log.read_text().splitlines() if line.startswith("study.fit: ")]
    assert f"the study's folder has gone: '{out}'" in line
    assert "Traceback" not in log.read_text()
    assert not out.exists()


def test_a_folder_that_is_being_removed_gets_no_more_records(config: Path, tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    argv = ["--config", str(config), "--out", str(out), "--trainer.max_epochs", "100000"]
    process = fit_process([*argv, "--checkpoint_every", "1000000"], log)
    wait_for(lambda: any(out.glob("locks/*")))
    (out / "study.yaml").unlink()
    process.join(60)
    assert process.exitcode == 1
    assert not list(out.glob("checkpoints/*"))
    assert "the study's folder has gone" in log.read_text()


def signal_to(pid: int | None, number: signal.Signals) -> None:
    assert pid is not None
    os.kill(pid, number)
