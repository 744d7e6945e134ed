"""Lightning callbacks that write down how long each epoch took."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl


class TrainingTimer(pl.Callback):
    """Times each epoch from its first batch to its last.

    A callback comes before the module at an epoch's end: a study's evaluation, which the module
    does there, is left out.

    Parameters
    ----------
    path
        JSON file to write the seconds of each epoch to.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.seconds: list[float] = []
        self._began = 0.0

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Start the clock with the first batch."""
        if batch_idx == 0:
            self._began = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self.seconds.append(time.perf_counter() - self._began)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write what was measured."""
        self.path.write_text(json.dumps(self.seconds))


class EpochTimer(TrainingTimer):
    """Times each epoch from its first batch to the next epoch's: evaluation is in it."""

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Stop the clock of the epoch before, and start anew."""
        if batch_idx == 0:
            now = time.perf_counter()
            if self._began:
                self.seconds.append(now - self._began)
            self._began = now

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the clock running: the module evaluates now."""

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write what was measured, the last evaluation included."""
        self.seconds.append(time.perf_counter() - self._began)
        super().on_train_end(trainer, pl_module)
