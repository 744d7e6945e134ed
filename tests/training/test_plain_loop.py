"""A study trained run by run with the plain module leaves the records that a stack leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from helpers import SMALL, YOUNGER

import study
from study.data.prepare import DataCache
from study.fit import main as fit
from study.runs.events import LiveStack, Observer
from study.runs.progress import FAILED, Progress
from study.training.plain_loop import train_plain
from study.verify import main as verify


@pytest.fixture
def config(tmp_path: Path) -> list[str]:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return ["--config", str(path), "--seeds", "1"]


def histories(*folders: Path) -> list[Any]:
    read = [study.load(folder)[1].sort_values(["run", "epoch"]) for folder in folders]
    return [each.reset_index(drop=True) for each in read]


def test_both_engines_leave_the_same_records(
    config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config += [word for key, value in YOUNGER.items() for word in (f"--{key}", str(value))]
    plain, stack = tmp_path / "plain", tmp_path / "stack"
    assert fit([*config, "--out", str(plain), "--engine", "plain"]) == 0
    assert fit([*config, "--out", str(stack)]) == 0
    ours, theirs = histories(plain, stack)
    assert list(ours.columns) == list(theirs.columns)
    for name in ours.columns:
        if ours[name].dtype.kind == "f":
            # A distance that is rounding alone differs by as much as it is.
            atol = 1e-6 if name == "gradient_autograd_distance" else 0.0
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5, atol=atol)
        else:
            assert ours[name].tolist() == theirs[name].tolist()
    runs = [study.load(folder)[0] for folder in (plain, stack)]
    for name in ("run", "status", "epochs", "data_hash", "labels_hash"):
        assert runs[0][name].tolist() == runs[1][name].tolist()
    for folder, engine in ((plain, "plain"), (stack, "stack")):
        (path,) = (folder / "environment").iterdir()
        assert json.loads(path.read_text())["engine"] == engine
        assert not list((folder / "checkpoints").iterdir())
    capsys.readouterr()
    assert verify([str(plain), "--runs", "1"]) == 0
    assert "same bits" in capsys.readouterr().out
    for folder, other in ((plain, "stack"), (stack, "plain")):
        assert verify([str(folder), "--runs", "1", "--engine", other]) == 0
        assert "within the declared tolerance" in capsys.readouterr().out


def test_verify_finds_a_record_that_the_other_engine_does_not_give(
    config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert fit([*config, "--out", str(out), "--vary", "{}"]) == 0
    (path,) = (out / "history").iterdir()
    table = pq.read_table(path)
    index = table.schema.get_field_index("test_cross_entropy")
    changed = pc.multiply(table.column(index), 1.002)
    pq.write_table(table.set_column(index, table.schema.field(index), changed), path)
    capsys.readouterr()
    assert verify([str(out), "--engine", "plain"]) == 1
    said = "NOT within the declared tolerance of 0.001: differs in history (by 0.002)"
    assert said in capsys.readouterr().out


class StopsAt(Observer):
    """Stops the training after an epoch, and keeps what a checkpoint would."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.heard: list[str] = []

    def stack_began(self, stack: LiveStack) -> None:
        self.heard.append("began")
        self.machine = stack.machine()

    def epoch_ended(self, stack: LiveStack) -> None:
        self.heard.append("epoch")
        (progress,) = stack.taken_up
        if progress.epoch == self.epoch:
            self.kept = progress.plain(), stack.state(progress)
            stack.stop()

    def stack_ended(self, stack: LiveStack) -> None:
        self.heard.append("ended")


def small(**facts: Any) -> study.Run:
    settings = {"data.dataset": "digits", "data.train_examples": 300, "model.hidden": [32]}
    return study.Run.of({**settings, "trainer.max_epochs": 4, **facts})


@pytest.mark.parametrize("interval", ["epoch", "step"])
def test_stopped_and_resumed_is_uninterrupted(interval: str) -> None:
    decay = {"class_path": "torch.optim.lr_scheduler.ExponentialLR", "init_args": {"gamma": 0.5}}
    run = small(**YOUNGER, **{"optimizer.schedule": {**decay, "interval": interval}})
    whole, stopped, resumed = Progress(run), Progress(run), Progress(run)
    assert train_plain(iter([whole]), DataCache(), [])
    observer = StopsAt(2)
    assert not train_plain(iter([stopped, Progress(small(seed=1))]), DataCache(), [observer])
    assert observer.heard == ["began", "epoch", "epoch", "ended"]
    resumed.resume(*observer.kept)
    assert train_plain(iter([resumed]), DataCache(), [])
    assert repr(resumed.history) == repr(whole.history)


def test_a_run_that_fails_is_told_and_the_next_one_trains() -> None:
    broken = Progress(small(**{"data.inputs": "math:floor"}))
    heard = StopsAt(-1)
    whole = Progress(small(**{"trainer.max_epochs": 1}))
    assert train_plain(iter([broken, whole]), DataCache(), [heard])
    assert broken.status == FAILED
    assert (broken.error or "").startswith("TypeError: ")
    assert heard.heard == ["began", "epoch", "ended"] * 2
    assert whole.status == "finished"


def test_a_run_that_fits_at_once_does_not_train() -> None:
    progress = Progress(small(**{"stop.train_accuracy": 0.0}))
    heard = StopsAt(-1)
    assert train_plain(iter([progress]), DataCache(), [heard])
    assert (progress.status, progress.epoch, progress.epochs_to_fit) == ("fitted", 0, 0)
    assert heard.heard == ["began", "epoch", "ended"]
