"""What is timed: this package's own path, and what a user would pick instead.

Each contender trains 784-256-10 on Fashion-MNIST, batch 100, Adam, for some epochs, and returns the
seconds a run took for an epoch (its first left out as warm-up) and the test accuracy it reached.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = "data"
BATCH, HIDDEN, RATE = 100, 256, 1e-3


class Timing(NamedTuple):
    """Seconds a run and epoch, and the mean test accuracy afterwards."""

    seconds: float
    accuracy: float


def study_fit(runs: int, epochs: int) -> Timing:
    """Train through ``study.fit``'s own path, Trainer and records included."""
    from study import load
    from study.fit import main

    with tempfile.TemporaryDirectory() as folder:
        config, times = Path(folder) / "config.yaml", Path(folder) / "times.json"
        config.write_text(
            json.dumps(
                {
                    "name": "benchmark",
                    "seeds": runs,
                    "data": {"dataset": "fashion_mnist", "root": ROOT, "normalize": "none"},
                    "model": {"hidden": [HIDDEN]},
                    "trainer": {
                        "max_epochs": epochs,
                        "callbacks": [
                            {
                                "class_path": "benchmarks.timing.EpochTimer",
                                "init_args": {"path": str(times)},
                            }
                        ],
                    },
                    "evaluate_every": epochs,
                    "keep_weights": False,
                }
            )
        )
        status = main(["--config", str(config), "--out", str(Path(folder) / "out")])
        if status:
            raise RuntimeError(f"study.fit ended with status {status}")
        _, history = load(Path(folder) / "out")
        seconds = json.loads(times.read_text())[1:]
        last = history[history["epoch"] == epochs]
        return Timing(sum(seconds) / len(seconds) / runs, float(last["test_accuracy"].mean()))


def lightning_dataloader(workers: int, epochs: int) -> Timing:
    """Train as Lightning's own tutorial does: a DataLoader over torchvision's data set."""
    import pytorch_lightning as pl
    import torch
    from torch import Tensor, nn
    from torch.utils.data import DataLoader

    from benchmarks.timing import EpochTimer

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = _network()

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            images, labels = batch
            return nn.functional.cross_entropy(self.network(images), labels)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=RATE)

    torch.manual_seed(0)
    train, (test_images, test_labels) = _torchvision_train(), _arrays()[2:]
    loader = DataLoader(
        train, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    with tempfile.TemporaryDirectory() as folder:
        times = Path(folder) / "times.json"
        trainer = pl.Trainer(
            max_epochs=epochs,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[EpochTimer(str(times))],
            accelerator="cpu",
        )
        module = Module()
        trainer.fit(module, loader)
        seconds = json.loads(times.read_text())[1:]
    accuracy = _accuracy(module.network, test_images, test_labels)
    return Timing(sum(seconds) / len(seconds), accuracy)


def plain_loop(epochs: int, *, fused: bool) -> Timing:
    """Train in a plain PyTorch loop over tensors in memory."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    images, labels, test_images, test_labels = _arrays()
    network = _network()
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, fused=fused)
    seconds = []
    for _ in range(epochs):
        began = time.perf_counter()
        order = torch.randperm(len(labels))
        for start in range(0, len(labels), BATCH):
            chosen = order[start : start + BATCH]
            loss = nn.functional.cross_entropy(network(images[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
        seconds.append(time.perf_counter() - began)
    accuracy = _accuracy(network, test_images, test_labels)
    return Timing(sum(seconds[1:]) / (epochs - 1), accuracy)


def _network() -> Any:
    from torch import nn

    layers = [nn.Linear(784, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 10)]
    return nn.Sequential(nn.Flatten(), *layers)


def _arrays() -> tuple[Any, Any, Any, Any]:
    import torch

    from study.data.sources import load_images

    images = load_images("fashion_mnist", ROOT)
    return (
        torch.from_numpy(images.train_pixels / 255).float(),
        torch.from_numpy(images.train_labels),
        torch.from_numpy(images.test_pixels / 255).float(),
        torch.from_numpy(images.test_labels),
    )


def _torchvision_train() -> Any:
    """Return torchvision's data set; where only Debian's files are, the same class over those."""
    import torch
    from torchvision.datasets import FashionMNIST
    from torchvision.transforms import ToTensor

    if (Path(ROOT) / "FashionMNIST" / "raw").is_dir():
        return FashionMNIST(ROOT, train=True, transform=ToTensor())

    class FromMemory(FashionMNIST):  # type: ignore[misc]  # torchvision is untyped
        def __init__(self) -> None:
            images, labels, *_ = _arrays()
            self.transform, self.target_transform = ToTensor(), None
            self.data = (images * 255).round().to(torch.uint8).view(-1, 28, 28)
            self.targets = labels

    return FromMemory()


def _accuracy(network: Any, images: Any, labels: Any) -> float:
    import torch

    with torch.no_grad():
        return float((network(images).argmax(-1) == labels).float().mean())


CONTENDERS: dict[str, Callable[[int], Timing]] = {
    "study, 16 runs": lambda epochs: study_fit(16, epochs),
    "study, 1 run": lambda epochs: study_fit(1, epochs),
    "Lightning + DataLoader, 0 workers": lambda epochs: lightning_dataloader(0, epochs),
    "Lightning + DataLoader, 2 workers": lambda epochs: lightning_dataloader(2, epochs),
    "plain PyTorch loop, Adam": lambda epochs: plain_loop(epochs, fused=False),
    "plain PyTorch loop, fused Adam": lambda epochs: plain_loop(epochs, fused=True),
}
