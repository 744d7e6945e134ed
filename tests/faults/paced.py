"""A callback with which a study trains as long as a test needs, on any machine."""

from __future__ import annotations

import time
from pathlib import Path

import pytorch_lightning as pl


class Paced(pl.Callback):
    """Trains slowly while a file is there, which grows by a byte an epoch.

    Parameters
    ----------
    path
        The file.
    seconds
        The break before each epoch.
    """

    def __init__(self, path: str, seconds: float = 0.05) -> None:
        self._path, self._seconds = Path(path), seconds

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take a break."""
        if self._path.exists():
            with self._path.open("ab") as file:
                file.write(b".")
            time.sleep(self._seconds)


def paced(config: str, epochs: int, path: Path, seconds: float = 0.05) -> str:
    """Return a config that trains slowly while the file is there that is made."""
    path.touch()
    callback = {
        "class_path": "paced.Paced",
        "init_args": {"path": str(path), "seconds": seconds},
    }
    lines = config.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("trainer:"))
    lines[at] = f"trainer: {{max_epochs: {epochs}, callbacks: [{callback}]}}"
    return "\n".join(lines) + "\n"
