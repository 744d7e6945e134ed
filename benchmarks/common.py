"""Shared by contenders: workloads, the data in memory, and the type of a timing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

ROOT = "data"
BATCH, RATE, EXAMPLES = 100, 1e-3, 60_000


class Workload(NamedTuple):
    """A network to train; ``unit`` describes what one number in its table measures."""

    name: str
    hidden: tuple[int, ...]
    unit: str = "Fashion-MNIST, batch 100; seconds a run for 60,000 examples"
    epochs: int = 2

    @property
    def widths(self) -> tuple[int, ...]:
        """Sizes of all layers."""
        return (784, *self.hidden, 10)


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("784-256-10", (256,)),
        Workload("784-512-512-512-10", (512, 512, 512)),
        Workload(
            "mnist5k-subsets",
            (256,),
            "784-256-10, batch 100; seconds a training of 10 epochs on its own 70% of mnist5k",
            epochs=10,
        ),
        Workload(
            "start-up", (256,), "seconds until the first training step of configs/random.yaml"
        ),
        Workload("wandb", (256,), "seconds for configs/random.yaml, imports not counted"),
    )
}


class Timing(NamedTuple):
    """Seconds per run, and the mean test accuracy reached.

    ``outside`` is the share of that time spent outside training steps; nan where unknown.
    """

    seconds: float
    accuracy: float
    outside: float = float("nan")


Contender = Callable[[Workload, int], Timing]


def arrays() -> tuple[Any, Any, Any, Any]:
    """Return train and test images [n, 784] in [0, 1] and labels, as tensors."""
    import torch

    from study.data.sources import load_images

    images = load_images("fashion_mnist", ROOT)
    return (
        torch.from_numpy(images.train_pixels / 255).float(),
        torch.from_numpy(images.train_labels),
        torch.from_numpy(images.test_pixels / 255).float(),
        torch.from_numpy(images.test_labels),
    )


def network(workload: Workload) -> Any:
    """Return the workload's network in plain PyTorch."""
    import itertools

    from torch import nn

    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in itertools.pairwise(workload.widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def accuracy(model: Any, images: Any, labels: Any) -> float:
    """Return the share of images that a PyTorch model classifies correctly."""
    import torch

    with torch.no_grad():
        return float((model(images).argmax(-1) == labels).float().mean())


def steady(seconds: list[float]) -> float:
    """Return the mean of all epochs but the first, which warms up."""
    return sum(seconds[1:]) / len(seconds[1:])
