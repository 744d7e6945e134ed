"""What the tests of Adam share: parameters, gradients that change, and training with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import torch
from hypothesis import settings
from torch import Tensor
from torch.optim import Optimizer

BOTH = pytest.mark.parametrize("fused", [True, False])
SHAPES = [(4, 3), (7,), (2, 3, 2)]

some = settings(max_examples=40, deadline=None, derandomize=True)


def leaves(*shapes: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float64) -> Any:
    """Return random parameters of one seed."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes
    ]


def feed(parameters: list[Tensor], step: int, seed: int = 100) -> None:
    """Set the gradient: a pull to 10 with noise of a size that changes from step to step."""
    generator = torch.Generator().manual_seed(1000 * seed + step)
    for parameter in parameters:
        noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        parameter.grad = parameter.detach() - 10 + (1 + step % 7) * noise


def train(
    optimizer: Optimizer, parameters: list[Tensor], steps: Iterable[int], seed: int = 100
) -> None:
    """Take steps with the gradients that `feed` sets."""
    for step in steps:
        feed(parameters, step, seed)
        optimizer.step()


def relative(a: Tensor, b: Tensor) -> float:
    """Return the largest difference, relative to the largest element."""
    return float((a - b).detach().abs().max() / b.detach().abs().max())
