"""Dropout with masks that are a pure function of (seed, layer, batch number).

In training each input of a layer is set to 0 with probability p and otherwise multiplied by
1/(1 - p), so that evaluation needs neither (Srivastava et al., 2014, Dropout: A Simple Way to
Prevent Neural Networks from Overfitting; their section 10 scales in this "inverted" way). With mask
m and h' = m * h in place of h, dL/dh = m * dL/dh'.

The draws are those of SplitMix64 (Steele, Lea & Flood, 2014, Fast Splittable Pseudorandom Number
Generators, figure 16, with Stafford's variant 13 of the mixing function): word n of a key k is
mix64(k + n gamma), so any word is computed without those before it. Arithmetic on 64-bit integers
has the same result on every device and for any number of threads. `study.base.streams`
would have to draw on the CPU for a GPU, and cannot be recorded in a CUDA graph.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from study.base import streams


def _signed(word: int) -> int:
    """Return the 64-bit integer of torch, which is signed, with the bits of a word."""
    return (word + 2**63) % 2**64 - 2**63


GAMMA = 0x9E3779B97F4A7C15
# Each step of mix64 is z <- (z ^ (z >>> shift)) * factor.
MIX64 = ((30, _signed(0xBF58476D1CE4E5B9)), (27, _signed(0x94D049BB133111EB)), (31, 1))
WORDS_A_BATCH = 2**32  # more than any batch needs, so that batches share no word


def splitmix64(key: Int[Tensor, "*run"], count: int) -> Int[Tensor, "*run word"]:
    """Return the first ``count`` words of SplitMix64 that each key seeds, as signed integers.

    Examples
    --------
    >>> [word % 2**64 for word in splitmix64(torch.tensor(1234567), 2).tolist()]
    [6457827717110365317, 3203168211198807973]
    """
    z = key.unsqueeze(-1) + _multiples_of_gamma(count, key.device)
    for shift, factor in MIX64:
        # torch shifts copies of the sign in from the left; the mask removes them.
        z.bitwise_xor_((z >> shift).bitwise_and_(2 ** (64 - shift) - 1))
        if factor != 1:
            z.mul_(factor)
    return z


@functools.cache
def _multiples_of_gamma(count: int, device: torch.device) -> Tensor:
    return torch.arange(1, count + 1, device=device) * _signed(GAMMA)


def layer_keys(seed: int, layers: int) -> Int[Tensor, " layer"]:
    """Return the keys of a run's masks: the first word of its stream ``dropout/<layer>`` each."""
    words = [streams.words(seed, f"dropout/{layer}", 1)[0] for layer in range(layers)]
    return torch.tensor([_signed(int(word)) for word in words])


def mask(
    key: Int[Tensor, "*run"],
    number: Int[Tensor, "*run"],
    shape: tuple[int, int],
    p: float,
    dtype: torch.dtype,
) -> Float[Tensor, "*run batch feature"]:
    """Return a layer's mask for a batch: 0 with probability ``p``, and otherwise 1/(1 - p).

    Parameters
    ----------
    key
        The layer's key, as `layer_keys` gives it.
    number
        The batch's number. The rows of a smaller batch have the values that they have in a larger.
    shape
        Examples in the batch and inputs of the layer.
    p
        A probability in [0, 1), rounded to a multiple of 2^-32.
    dtype
        The mask's type.

    Examples
    --------
    >>> key = layer_keys(seed=0, layers=1)[0]
    >>> mask(key, torch.tensor(7), (2, 3), 0.5, torch.float32).unique().tolist()
    [0.0, 2.0]
    """
    size = math.prod(shape)
    words = splitmix64(key + number * _signed(GAMMA * WORDS_A_BATCH % 2**64), -(-size // 2))
    draws = words.view(torch.int32)[..., :size]  # two of each word, uniform in [-2^31, 2^31)
    kept = torch.empty(draws.shape, dtype=dtype, device=key.device)
    # Written as numbers at once: a mask of truth values would take three times as long.
    torch.ge(draws, min(round(p * 2**32), 2**32 - 1) - 2**31, out=kept)
    return kept.mul_(1 / (1 - p)).view(*key.shape, *shape)


def masks(
    keys: Int[Tensor, "*run layer"],
    number: Int[Tensor, "*run"],
    batch: int,
    widths: Sequence[int],
    probabilities: Sequence[float],
    dtype: torch.dtype,
) -> list[Tensor | None]:
    """Return each layer's mask for a batch, None where nothing is dropped.

    Parameters
    ----------
    keys, number, dtype
        As of `mask`, the keys of all layers.
    batch
        How many examples it has.
    widths
        The numbers of inputs of the layers.
    probabilities
        The layers' probabilities of a 0.
    """
    return [
        mask(keys[..., layer], number, (batch, width), p, dtype) if p else None
        for layer, (width, p) in enumerate(zip(widths, probabilities, strict=True))
    ]
