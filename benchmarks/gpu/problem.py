"""What is trained on a GPU, on data that lie there, and what a way to train it is."""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from benchmarks.common import BATCH, RATE, ROOT, Workload
from benchmarks.timing import TrainingTimer
from study.data.sources import load_images
from study.runs.run import Run

DATASET = "mnist5k"  # part of a package, so no machine has to download it


@dataclass(frozen=True)
class Problem:
    """What every way trains: a network, data on a device, and a precision."""

    workload: Workload
    precision: str
    device: torch.device
    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor

    @classmethod
    def load(cls, hidden: tuple[int, ...], precision: str, device: torch.device) -> Problem:
        """Put the data on a device."""
        source = load_images(DATASET, ROOT)
        arrays = [source.train_pixels / 255, source.train_labels]
        arrays += [source.test_pixels / 255, source.test_labels]
        images, labels, test_images, test_labels = (torch.from_numpy(a).to(device) for a in arrays)
        return cls(
            Workload("gpu", hidden),
            precision,
            device,
            images.float(),
            labels,
            test_images.float(),
            test_labels,
        )

    @property
    def run(self) -> Run:
        """The run that the study trains; in bfloat16 its gradients are autograd's."""
        mixed = self.precision == "bf16"
        return Run.of(
            {
                "data.dataset": DATASET,
                "data.normalize": "none",
                "data.batch_size": BATCH,
                "model.hidden": list(self.workload.hidden),
                "model.gradients": "autograd" if mixed else "derived",
                "optimizer.lr": RATE,
                "trainer.precision": "bf16-mixed" if mixed else "32-true",
                "trainer.accelerator": "gpu" if self.device.type == "cuda" else "cpu",
            }
        )

    def autocast(self) -> Any:
        """Return the context that a forward pass is computed in."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def chosen(self, *shape: int) -> Tensor:
        """Return random examples."""
        return torch.randint(len(self.labels), shape, device=self.device)

    def wait(self) -> None:
        """Wait until the device has done what it was told."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


@contextlib.contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Let float32 products be computed in TF32 or not, and after that as before."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


class Way(ABC):
    """A way to train some networks at once."""

    def __init__(self, problem: Problem, runs: int) -> None:
        self.problem, self.runs = problem, runs

    @abstractmethod
    def steps(self, number: int) -> None:
        """Take steps of all networks."""

    @abstractmethod
    def accuracy(self) -> float:
        """Return the first network's test accuracy."""

    def seconds(self, number: int) -> float:
        """Take steps, and return how long they took."""
        self.problem.wait()
        began = time.perf_counter()
        self.steps(number)
        self.problem.wait()
        return time.perf_counter() - began


class TimerThatWaits(TrainingTimer):
    """Times epochs to the end of what the device computes."""

    def __init__(self, problem: Problem, path: str) -> None:
        super().__init__(path)
        self.problem = problem

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock when the device is done."""
        self.problem.wait()
        super().on_train_epoch_end(trainer, pl_module)


def repeated(one: Tensor, runs: int) -> Tensor:
    """Return copies of what has a run dimension of 1."""
    return one.detach().repeat(runs, *[1] * (one.ndim - 1))
