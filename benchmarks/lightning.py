"""Lightning as its tutorials use it, and with batches gathered from memory."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.common import BATCH, RATE, ROOT, Timing, Workload, accuracy, arrays, network, steady
from benchmarks.timing import TrainingTimer


class Module(pl.LightningModule):
    """The tutorial's LightningModule."""

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        self.network = network(workload)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return the loss."""
        images, labels = batch
        return nn.functional.cross_entropy(self.network(images), labels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return torch's Adam."""
        return torch.optim.Adam(self.parameters(), lr=RATE)


def _fit(workload: Workload, epochs: int, loader: Any) -> Timing:
    *_, test_images, test_labels = arrays()
    with tempfile.TemporaryDirectory() as folder:
        times = Path(folder) / "times.json"
        trainer = pl.Trainer(
            max_epochs=epochs,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[TrainingTimer(str(times))],
            accelerator="cpu",
        )
        module = Module(workload)
        trainer.fit(module, loader)
        seconds = steady(json.loads(times.read_text())["seconds"])
    return Timing(seconds, accuracy(module.network, test_images, test_labels))


def dataloader(workload: Workload, epochs: int, *, workers: int) -> Timing:
    """Train from a DataLoader over torchvision's data set."""
    torch.manual_seed(0)
    loader = DataLoader(
        _torchvision_train(),
        BATCH,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    return _fit(workload, epochs, loader)


class MemoryBatches:
    """Batches gathered from tensors in memory."""

    def __init__(self) -> None:
        self.images, self.labels, *_ = arrays()

    def __len__(self) -> int:
        return len(self.labels) // BATCH

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for chosen in torch.split(torch.randperm(len(self.labels)), BATCH):
            yield self.images[chosen], self.labels[chosen]


def in_memory(workload: Workload, epochs: int) -> Timing:
    """Train from batches gathered in memory."""
    torch.manual_seed(0)
    return _fit(workload, epochs, MemoryBatches())


def _torchvision_train() -> Any:
    """Return torchvision's data set, or the same class over Debian's files if only these exist."""
    from torchvision.datasets import FashionMNIST
    from torchvision.transforms import ToTensor

    if (Path(ROOT) / "FashionMNIST" / "raw").is_dir():
        return FashionMNIST(ROOT, train=True, transform=ToTensor())

    class FromMemory(FashionMNIST):  # type: ignore[misc]  # torchvision is untyped
        def __init__(self) -> None:
            images, labels, *_ = arrays()
            self.transform, self.target_transform = ToTensor(), None
            self.data = (images * 255).round().to(torch.uint8).view(-1, 28, 28)
            self.targets = labels

    return FromMemory()
