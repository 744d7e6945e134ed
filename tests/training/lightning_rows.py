"""The rows of the table in docs/lightning.md, and how a run is trained to try them."""

from __future__ import annotations

import copy
import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from helpers import YOUNGER, quiet_trainer, small_run
from pytorch_lightning import callbacks as lightning
from torch import Tensor

from study import BadInput, Run, StudyData, StudyModule

# Three batches of 100 examples an epoch, without validation examples and with them.
FACTS = {**YOUNGER, "data.validation_examples": 0}
RUN = small_run(noise=0.0, **FACTS)
SPLIT = small_run(noise=0.0, **YOUNGER)
Try = Callable[[Path], None]
ROWS: dict[str, Try] = {}


def row(*names: str) -> Callable[[Try], Try]:
    """Enter a function as what tries some rows of the table."""

    def enter(function: Try) -> Try:
        ROWS.update(dict.fromkeys(names, function))
        return function

    return enter


class Seen(pl.Callback):
    """Notes what passes."""

    def __init__(self) -> None:
        self.labels: list[Tensor] = []
        self.validations = 0
        self.weights: list[list[Tensor]] = []

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        self.labels.append(batch[1])

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        self.validations += 1

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        self.weights.append(copy.deepcopy(list(module.parameters())))


def fit(
    run: Run = RUN, data: StudyData | None = None, ckpt_path: Path | None = None, **flags: Any
) -> tuple[StudyModule, pl.Trainer]:
    """Train a run for two epochs or as the flags say."""
    files = any(isinstance(each, lightning.Checkpoint) for each in flags.get("callbacks", []))
    flags = {"max_epochs": 2, "enable_checkpointing": files, "log_every_n_steps": 1, **flags}
    module, trainer = StudyModule(run), quiet_trainer(**flags)
    trainer.fit(module, data or StudyData(run), ckpt_path=ckpt_path, weights_only=True)
    return module, trainer


def apart(one: StudyModule, other: StudyModule) -> float:
    """Return by how much the weights of two modules differ at most."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


def columns(folder: Path) -> set[str]:
    """Return which columns a CSVLogger wrote."""
    (path,) = folder.rglob("metrics.csv")
    with path.open() as file:
        return set(next(csv.reader(file)))


def is_no_run(module: StudyModule, trainer: pl.Trainer, folder: Path, message: str) -> None:
    """See that a module says what a tuner changed, and so do checkpoints of it."""
    trainer.save_checkpoint(folder / "tuned.ckpt")
    loaded = StudyModule.load_from_checkpoint(folder / "tuned.ckpt", weights_only=True)
    for each in (module, loaded):
        with pytest.raises(BadInput, match=message):
            _ = each.run
    with pytest.warns(UserWarning, match="no longer run"):
        resumed, _ = fit(ckpt_path=folder / "tuned.ckpt", max_epochs=9)
    assert resumed.changed == module.changed
