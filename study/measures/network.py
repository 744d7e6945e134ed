"""What a measure is given: a run's network, and its data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

Network = Callable[[Tensor], Tensor]  # images [batch, feature] to logits [batch, classes]


@dataclass(frozen=True)
class MeasuredNetwork:
    """A run's network.

    Attributes
    ----------
    logits
        Gives logits [batch, classes] for images [batch, feature]; calling the network does so, too.
    weights
        Its weights [out, in] and biases [out] by turns, in layer order. Do not change them.
    initial
        Returns what those were before training.
    loss, backward, label_smoothing
        As in `study.Model`.
    """

    logits: Network
    weights: Sequence[Tensor]
    initial: Callable[[], Sequence[Tensor]]
    loss: str
    backward: str
    label_smoothing: float = 0.0

    def __call__(self, images: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch classes"]:
        """Return the logits of some images."""
        return self.logits(images)


@runtime_checkable
class MeasuredData(Protocol):
    """A run's data on the training device, as `study.data.prepare.RunData` describes them."""

    @property
    def labels(self) -> Tensor: ...
    @property
    def true_labels(self) -> Tensor: ...
    @property
    def redrawn(self) -> Tensor: ...
    @property
    def test_images(self) -> Tensor: ...
    @property
    def test_labels(self) -> Tensor: ...
    def train_part(self, part: slice | Tensor) -> Tensor:
        """Return the images of some of the examples trained on."""
        ...


def spread(examples: int, number: int) -> Tensor:
    """Return the indices of some examples, evenly spread, since a source may be sorted by class.

    Examples
    --------
    >>> spread(7, 3), spread(2, 3)
    (tensor([0, 3, 6]), tensor([0, 1]))
    """
    return (
        torch.linspace(0, examples - 1, min(number, examples), dtype=torch.float64).round().long()
    )
