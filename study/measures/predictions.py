"""A network's answers on single examples: argmax p, and its confidence max p, for p = softmax(z).

The images are kept for viewing as 8-bit pixels: 0 is the darkest of all pixels, 255 the brightest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from study.measures import Network


@torch.no_grad()
def answers(
    network: Network,
    images: Float[Tensor, "batch feature"],
    labels: Int[Tensor, " batch"],
    true_labels: Int[Tensor, " batch"],
) -> list[dict[str, Any]]:
    """Return a network's answer on each example.

    Returns
    -------
    list of dict
        For each example ``label``, ``true_label``, ``said`` (the network's answer) and
        ``confidence`` (the probability it gives that answer).

    Examples
    --------
    >>> answers(torch.log, torch.tensor([[0.5, 0.5]]), torch.tensor([0]), torch.tensor([1]))
    [{'label': 0, 'true_label': 1, 'said': 0, 'confidence': 0.5}]
    """
    confidence, said = torch.softmax(network(images), -1).max(-1)
    columns = {"label": labels, "true_label": true_labels, "said": said, "confidence": confidence}
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def pixels(images: Float[Tensor, "batch feature"]) -> NDArray[np.uint8]:
    """Return images as 8-bit pixels, scaled so that the darkest is 0 and the brightest 255.

    Examples
    --------
    >>> pixels(torch.tensor([[-1.0, 0.0, 1.0]]))
    array([[  0, 128, 255]], dtype=uint8)
    """
    low, high = images.min(), images.max()
    scaled = (images - low) / (high - low).clamp_min(1e-12) * 255
    return scaled.round().to(torch.uint8).cpu().numpy()
