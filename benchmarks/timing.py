"""Lightning callbacks that record each epoch's time."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl


class TrainingTimer(pl.Callback):
    """Times each epoch from its start to its last batch.

    Lightning calls callbacks before the module. So the evaluation that a study's module does at an
    epoch's end is not timed, and the one before training falls into the first, uncounted epoch.

    Parameters
    ----------
    path
        JSON file to write: ``seconds`` of each epoch, and ``outside``, the share of that time spent
        outside the study's training steps, without the first epoch.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.seconds: list[float] = []
        self.inside: list[float] = []
        self._began = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Time a study's engine separately, to measure the time spent around it."""
        engine = getattr(pl_module, "engine", None)
        if engine is None:
            return
        steps = engine.steps

        def timed(*arguments: Any) -> Any:
            began = time.perf_counter()
            result = steps(*arguments)
            self.inside[-1] += time.perf_counter() - began
            return result

        engine.steps = timed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._began = time.perf_counter()
        self.inside.append(0.0)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self.seconds.append(time.perf_counter() - self._began)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the measured times."""
        outside = 1 - sum(self.inside[1:]) / sum(self.seconds[1:])
        self.path.write_text(json.dumps({"seconds": self.seconds, "outside": outside}))


class EpochTimer(TrainingTimer):
    """Times each epoch from its start to the next epoch's start, evaluation included."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the previous epoch's clock and start a new one."""
        if self.inside:
            super().on_train_epoch_end(trainer, pl_module)
        super().on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the clock running, because the module evaluates now."""

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the measured times, the last evaluation included."""
        super().on_train_epoch_end(trainer, pl_module)
        super().on_train_end(trainer, pl_module)
