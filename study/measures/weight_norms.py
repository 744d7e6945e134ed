"""How large a network's weights are, and how far training has moved them.

With weights W_l and biases b_l of the layers l, all of them together w, and w_0 their initial
values,

    norm       ||w||_2,
    distance   ||w - w_0||_2,
    spectral   product over l of ||W_l||_2, the largest singular value,

where a network of 1-Lipschitz activations changes its logits by at most ``spectral`` times what its
input changes. The distance that fits a data set grows with the share of random labels (Nagarajan &
Kolter, 2019, Generalization in Deep Networks: The Role of Distance from Initialization; Neyshabur
et al., 2017, Exploring Generalization in Deep Learning).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from study.base.streams import Stream
from study.measures.network import MeasuredData, MeasuredNetwork


def measure(network: MeasuredNetwork, data: MeasuredData, random: Stream) -> dict[str, float]:
    """Return a network's norms, and its distance from its initial weights."""
    return norms(network.weights, network.initial())


def norms(weights: Sequence[Tensor], initial: Sequence[Tensor]) -> dict[str, float]:
    """Return the norms of weights and biases, by turns in layer order; see the file's equation.

    Examples
    --------
    >>> norms([torch.eye(2), torch.ones(2)], [torch.zeros(2, 2), torch.ones(2)])
    {'weights_norm': 2.0, 'weights_distance': 1.4142135623730951, 'weights_spectral': 1.0}
    """
    pairs = [
        (now.double(), then.double().to(now.device))
        for now, then in zip(weights, initial, strict=True)
    ]
    return {
        "weights_norm": math.sqrt(sum(now.square().sum().item() for now, _ in pairs)),
        "weights_distance": math.sqrt(sum((a - b).square().sum().item() for a, b in pairs)),
        "weights_spectral": math.prod(map(spectral_norm, weights[::2])),
    }


def spectral_norm(weight: Tensor) -> float:
    """Return the largest singular value of a matrix; no number where an element is none.

    Examples
    --------
    >>> spectral_norm(torch.tensor([[3.0, 0.0], [0.0, -4.0]]))
    4.0
    """
    if not weight.isfinite().all():
        return math.nan
    return float(torch.linalg.matrix_norm(weight.double(), 2))
