"""By how much a network is right on its training examples, and what that is compared with.

An example's margin is the logit of the label trained on above the largest other one,

    m_i = z_{i, y_i} - max over j != y_i of z_{i, j}.

Bartlett et al. (2017, Spectrally-normalized margin bounds for neural networks) divide margins by

    scale = R ||X||_2 / n,
    R     = (product of s_l) * (sum over l of (||W_l^T||_{2,1} / s_l)^{2/3})^{3/2},

with s_l the spectral norm of W_l, ||W_l^T||_{2,1} the sum of the Euclidean norms of its rows,
||X||_2 the Euclidean norm of all training images together, and n their number: networks that fit
random labels have smaller normalized margins m / scale than those that fit true ones. Reference
matrices are 0, activations are taken as 1-Lipschitz, and biases are left out, as in the paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from study.base.streams import Stream
from study.measures.network import MeasuredData, MeasuredNetwork
from study.measures.weight_norms import spectral_norm

AT_ONCE = 1_000  # examples
QUANTILES = (0.1, 0.5, 0.9)


def measure(network: MeasuredNetwork, data: MeasuredData, random: Stream) -> dict[str, float]:
    """Return quantiles of the training examples' margins, and what the paper divides them by."""
    found, squares, examples = [], 0.0, len(data.labels)
    for start in range(0, examples, AT_ONCE):
        part = slice(start, start + AT_ONCE)
        images = data.train_part(part)
        found.append(margins(network(images), data.labels[part]))
        squares += images.double().square().sum().item()
    # Sorted by hand: torch.quantile takes at most 16 million numbers, and none that is no number.
    ordered = torch.cat(found).double().sort().values
    quantiles = {
        f"margin_{100 * q:.0f}": ordered[math.ceil(q * examples) - 1].item() for q in QUANTILES
    }
    scale = spectral_complexity(network.weights[::2]) * math.sqrt(squares) / examples
    return {**quantiles, "margin_scale": scale}


def margins(
    z: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """Return by how much each label's logit exceeds the largest other one.

    Examples
    --------
    >>> margins(torch.tensor([[1.0, 3.0, 0.0], [1.0, 3.0, 0.0]]), torch.tensor([1, 2]))
    tensor([ 2., -3.])
    """
    own = labels.unsqueeze(-1)
    return z.gather(-1, own).squeeze(-1) - z.scatter(-1, own, -math.inf).amax(-1)


def spectral_complexity(weights: Sequence[Tensor]) -> float:
    """Return R of the file's equation; no number where a weight is none.

    Examples
    --------
    >>> spectral_complexity([torch.tensor([[3.0, 4.0]])])  # its spectral and its row norm are 5
    5.0
    """
    spectral = [spectral_norm(weight) for weight in weights]
    rows = [torch.linalg.norm(weight.double(), dim=1).sum().item() for weight in weights]
    if not all(spectral):
        return 0.0
    ratios = sum((row / s) ** (2 / 3) for row, s in zip(rows, spectral, strict=True))
    return math.prod(spectral) * float(ratios**1.5)
