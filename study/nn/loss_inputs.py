"""Checks of a loss's arguments: invalid labels, and probabilities in place of logits."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from study.base.errors import BadInput


def refuse_labels(labels: Tensor, scores: Tensor) -> None:
    """Raise unless there is one whole number from 0 to K - 1 for each row of p or z.

    Valid labels have the shape [*batch] for scores [*batch, classes].

    Raises
    ------
    BadInput
        The labels have another type or shape, or one of them is not a class.

    Examples
    --------
    >>> refuse_labels(torch.tensor([0, 9]), torch.zeros(2, 10))
    """
    if labels.is_floating_point() or labels.is_complex() or labels.dtype is torch.bool:
        raise BadInput("labels", "whole numbers", str(labels.dtype))
    rows, classes = list(scores.shape[:-1]), scores.shape[-1]
    if list(labels.shape) != rows:
        raise BadInput("labels", f"one for each row, of shape {rows}", list(labels.shape))
    if _holds(lambda: ((labels < 0) | (labels >= classes)).any()):
        found = labels[(labels < 0) | (labels >= classes)][0].item()
        raise BadInput("labels", f"numbers from 0 to {classes - 1}", found)


def refuse_probabilities(z: Tensor) -> None:
    """Raise if logits [*batch, classes] are probabilities: a fused loss would apply softmax twice.

    Raises
    ------
    ValueError
        Every row is non-negative and sums to 1.

    Examples
    --------
    >>> refuse_probabilities(torch.tensor([[0.5, -0.5]]))
    """

    def look() -> bool:
        # Sums are taken in single precision at least; each term was rounded to the type of z.
        sums = z.detach().sum(-1, dtype=torch.promote_types(z.dtype, torch.float32))
        near = max(1e-3, torch.finfo(z.dtype).eps)
        return bool((z >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=near))

    if z.numel() and _holds(look):
        raise ValueError(
            "z: expected logits, found probabilities (every row is non-negative and sums to 1); "
            "a fused loss applies softmax itself: give it what softmax was given"
        )


def _holds(test: Callable[[], Tensor | bool]) -> bool:
    """Tell whether a test of values holds; return False if values cannot be read.

    Values cannot be read inside `torch.func.vmap` and `torch.compile`.
    """
    if torch.compiler.is_compiling():
        return False
    try:
        return bool(test())
    except RuntimeError:
        return False
