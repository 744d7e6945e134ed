"""A Lightning callback that writes down how long each epoch took."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl


class EpochTimer(pl.Callback):
    """Times epochs between Lightning's own hooks, without what a module does around them.

    Callbacks come before the module at both ends of an epoch: a study's evaluation, which the
    module does at the end, is left out.

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
