"""What labels say of probabilities: their one-hot rows, smoothed or not, and those they choose."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def one_hot(
    labels: Int[Tensor, "*run batch"],
    like: Float[Tensor, "*run batch classes"],
    label_smoothing: float = 0.0,
) -> Float[Tensor, "*run batch classes"]:
    """Return y, a row with a single 1 for each label, or (1 - e) y + e/K for label smoothing e.

    Rows have the shape and type of ``like``.

    Examples
    --------
    >>> one_hot(torch.tensor([1]), torch.zeros(1, 2), label_smoothing=0.5)
    tensor([[0.2500, 0.7500]])
    """
    classes = torch.arange(like.shape[-1], device=like.device)
    return _smoothed((labels.unsqueeze(-1) == classes).to(like.dtype), label_smoothing)


def fast_one_hot(labels: Tensor, like: Tensor, label_smoothing: float) -> Tensor:
    """Return `one_hot`, computed faster but without support for autograd and vmap."""
    y = torch.zeros_like(like).scatter_(-1, labels.unsqueeze(-1), 1)
    return _smoothed(y, label_smoothing)


def _smoothed(y: Tensor, e: float) -> Tensor:
    return y * (1 - e) + e / y.shape[-1] if e else y


def chosen_probabilities(
    p: Float[Tensor, "*run batch classes"], labels: Int[Tensor, "*run batch"]
) -> Float[Tensor, "*run batch"]:
    """Return each label's probability, raised to the smallest normal number if it is below."""
    return lifted(p.gather(-1, labels.unsqueeze(-1)).squeeze(-1))


def lifted(p: Tensor) -> Tensor:
    """Return probabilities, those below the smallest normal number raised to it."""
    # The correction is added as a constant. A clamp would have gradient 0 where it acts, but the
    # study needs the derived gradient -1/p there.
    return p + (p.clamp_min(torch.finfo(p.dtype).tiny) - p).detach()
