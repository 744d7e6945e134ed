"""What a user defines in a module outside the package, and names in a config by its path."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from study.data.readers import Images
from study.data.sources import Source
from study.nn.losses import Loss
from study.nn.mlp import Activation
from study.nn.softmax import BackwardRule
from study.nn.targets import chosen_probabilities, one_hot


def _cubed_error(p: Tensor, labels: Tensor) -> Tensor:
    return (p - one_hot(labels, p)).abs().pow(3).sum(-1).mean(-1)


silu = Activation(nn.functional.silu, nn.SiLU)
chance = Loss(lambda p, labels: 1 - chosen_probabilities(p, labels).mean(-1))  # 1 - p_y
cubed_error = Loss(_cubed_error)
halved = BackwardRule(lambda g, p: g / 2)
scaled = BackwardRule(lambda g, p: g * p)


def negative(
    pixels: NDArray[np.float32], seed: int, stream: str, mean: float, deviation: float
) -> NDArray[np.float32]:
    """Return images with bright and dark exchanged: a condition."""
    return 1 - pixels


def all_the_same(
    labels: NDArray[np.int64], redrawn: NDArray[np.bool_], classes: int, seed: int, stream: str
) -> NDArray[np.int64]:
    """Give every redrawn example the last class: a label scheme."""
    return np.full(int(redrawn.sum()), classes - 1, dtype=np.int64)


def _stripes(root: object) -> Images:
    rng = np.random.Generator(np.random.PCG64(0))
    labels = rng.integers(0, 3, 160)
    pixels = rng.integers(0, 60, (160, 12)).astype(np.uint8)
    pixels[np.arange(160)[:, None], labels[:, None] * 4 + np.arange(4)] += 150
    return Images(pixels[:120], labels[:120], pixels[120:], labels[120:])


stripes = Source(120, 40, (3, 4), _stripes, classes=3)


class HalfStep(torch.optim.SGD):
    """Plain gradient descent with half of the step asked for."""

    def __init__(self, params: object, lr: float = 0.1) -> None:
        super().__init__(params, lr / 2)  # type: ignore[arg-type]
