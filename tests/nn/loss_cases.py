"""What the tests of losses share: names, random batches, and autograd's answer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

from study.nn.losses import (
    fused_cross_entropy,
    fused_squared_error,
    loss_of,
)

Loss = Callable[[Tensor, Tensor], Tensor]
LOSSES = ["cross_entropy", "squared_error"]
CLAMPED = ["clamped_0.01", "clamped_0.1", "clamped_0.5"]
RULES = ["jacobian", "identity", *CLAMPED, "autograd", "fused"]
FUSED = [fused_cross_entropy, fused_squared_error]
some = settings(max_examples=40, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def batch(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Return random logits of a shape, and labels."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(*shape, generator=generator, dtype=dtype)
    return z, torch.randint(shape[-1], shape[:-1], generator=generator)


def by_autograd(z: Tensor, labels: Tensor, loss: str, backward: str) -> tuple[Tensor, Tensor]:
    """Return each run's loss, and what autograd sends to the logits."""
    z = z.detach().requires_grad_()
    value = loss_of(z, labels, loss, backward)
    return value.detach(), torch.autograd.grad(value.sum(), z)[0]
