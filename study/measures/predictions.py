"""A network's answers on single examples: argmax z, and a probability, for p = softmax(z).

The images are kept for viewing as 8-bit pixels: 0 is the darkest of all pixels, 255 the brightest.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor


@torch.no_grad()
def answers(
    z: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"] | None = None
) -> tuple[Tensor, Float[Tensor, " batch"]]:
    """Return a network's answers on some examples, on the CPU, and probabilities as float16.

    Answers are bytes where there are at most 256 classes. The probabilities are those of labels if
    there are any, or else of the answers.

    Examples
    --------
    >>> answers(torch.tensor([[0.5, 0.5], [0.25, 0.75]]).log(), torch.tensor([0, 0]))
    (tensor([0, 1], dtype=torch.uint8), tensor([0.5000, 0.2500], dtype=torch.float16))
    """
    said = z.argmax(-1)
    of = said if labels is None else labels
    p = torch.softmax(z, -1).gather(-1, of.unsqueeze(-1)).squeeze(-1)
    whole = torch.uint8 if z.shape[-1] <= 256 else torch.int64
    return said.to("cpu", whole), p.to("cpu", torch.float16)


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
