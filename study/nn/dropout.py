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

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from study.base import streams


def _signed(word: int) -> int:
    """Return the 64-bit integer of torch, which is signed, with the bits of a word."""
    return (word + 2**63) % 2**64 - 2**63


GAMMA = 0x9E3779B97F4A7C15
# Each step of mix64 is z <- (z ^ (z >>> shift)) * factor.
MIX64 = ((30, _signed(0xBF58476D1CE4E5B9)), (27, _signed(0x94D049BB133111EB)), (31, 1))
WORDS_A_BATCH = 2**32  # more than any batch needs, so that batches share no word


def splitmix64(
    key: Int[Tensor, "*run"], count: int, buffers: Buffers | None = None
) -> Int[Tensor, "*run word"]:
    """Return the first ``count`` words of SplitMix64 that each key seeds, as signed integers.

    Examples
    --------
    >>> [word % 2**64 for word in splitmix64(torch.tensor(1234567), 2).tolist()]
    [6457827717110365317, 3203168211198807973]
    """
    multiples = multiples_of_gamma(count, key.device) if buffers is None else buffers.multiples
    z = torch.add(key.unsqueeze(-1), multiples, out=buffers and buffers.words)
    for shift, factor in MIX64:
        shifted = torch.bitwise_right_shift(z, shift, out=buffers and buffers.spare)
        # torch shifts copies of the sign in from the left; the mask removes them.
        z.bitwise_xor_(shifted.bitwise_and_(2 ** (64 - shift) - 1))
        if factor != 1:
            z.mul_(factor)
    return z


def multiples_of_gamma(count: int, device: torch.device) -> Int[Tensor, " word"]:
    """Return n gamma for n from 1."""
    return torch.arange(1, count + 1, device=device) * _signed(GAMMA)


def layer_keys(seed: int, layers: int) -> Int[Tensor, " layer"]:
    """Return the keys of a run's masks: the first word of its stream ``dropout/<layer>`` each."""
    words = [streams.words(seed, f"dropout/{layer}", 1)[0] for layer in range(layers)]
    return torch.tensor([_signed(int(word)) for word in words])


class Buffers(NamedTuple):
    """What a mask is computed in: multiples of gamma, its words, as many again, and the mask."""

    multiples: Int[Tensor, " word"]
    words: Int[Tensor, "*run word"]
    spare: Int[Tensor, "*run word"]
    mask: Float[Tensor, "*run batch feature"]

    @classmethod
    def of(
        cls, run: Sequence[int], shape: Sequence[int], dtype: torch.dtype, device: torch.device
    ) -> Buffers:
        """Return buffers for a mask of each run."""
        count = -(-math.prod(shape) // 2)
        words = torch.empty(*run, count, dtype=torch.int64, device=device)
        found = torch.empty(*run, *shape, dtype=dtype, device=device)
        return cls(multiples_of_gamma(count, device), words, torch.empty_like(words), found)


def mask(
    key: Int[Tensor, "*run"],
    number: Int[Tensor, "*run"],
    shape: tuple[int, int],
    p: float,
    dtype: torch.dtype,
    buffers: Buffers | None = None,
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
    buffers
        Where to compute; by default new tensors are made.

    Examples
    --------
    >>> key = layer_keys(seed=0, layers=1)[0]
    >>> mask(key, torch.tensor(7), (2, 3), 0.5, torch.float32).unique().tolist()
    [0.0, 2.0]
    """
    size = math.prod(shape)
    found = buffers or Buffers.of(key.shape, shape, dtype, key.device)
    start = key + number * _signed(GAMMA * WORDS_A_BATCH % 2**64)
    words = splitmix64(start, found.words.shape[-1], found)
    draws = words.view(torch.int32)[..., :size]  # two of each word, uniform in [-2^31, 2^31)
    # Written as numbers at once: a mask of truth values would take three times as long.
    kept = found.mask.view(draws.shape)
    torch.ge(draws, min(round(p * 2**32), 2**32 - 1) - 2**31, out=kept)
    kept.mul_(1 / (1 - p))
    return found.mask


class Dropout:
    """Makes the masks of the networks of a stack.

    An instance keeps buffers for each run, because new memory would take longer than the masks. So
    a run's masks are those of its last batch, and only one thread at a time may make them. Widths
    and probabilities of a 0 are those of each layer's inputs.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        widths: Sequence[int],
        probabilities: Sequence[float],
        device: torch.device,
    ) -> None:
        self.widths, self.probabilities = tuple(widths), tuple(probabilities)
        self.keys = torch.stack([layer_keys(seed, len(self.widths)) for seed in seeds]).to(device)
        self._buffers: dict[tuple[object, ...], Buffers] = {}

    def reseed(self, run: int, seed: int) -> None:
        """Give a run another seed."""
        self.keys[run] = layer_keys(seed, len(self.widths))

    def masks(
        self, run: int | slice, x: Float[Tensor, "*run batch feature"], number: Int[Tensor, "*run"]
    ) -> list[Tensor | None]:
        """Return each layer's mask for a batch, of its type; nothing where no layer drops.

        The batch is one run's, or that of all as ``slice(None)``; it has a number in each training.
        """
        if not any(self.probabilities):
            return []
        return [
            self._mask(run, layer, x, number) if p else None
            for layer, p in enumerate(self.probabilities)
        ]

    def _mask(self, run: int | slice, layer: int, x: Tensor, number: Tensor) -> Tensor:
        shape, at = (x.shape[-2], self.widths[layer]), (str(run), layer, x.shape[-2])
        if at not in self._buffers:
            self._buffers[at] = Buffers.of(x.shape[:-2], shape, x.dtype, x.device)
        key, p = self.keys[run][..., layer], self.probabilities[layer]
        return mask(key, number, shape, p, x.dtype, self._buffers[at])


class PlainDropout:
    """Drops inputs of a plain network's linear layers in training, as a stack drops its run's.

    Each mask is new memory, because autograd may need more than one batch's. Outputs of hidden
    layers and the network's inputs are dropped with the probabilities ``hidden`` and ``inputs``.

    Attributes
    ----------
    number, rank, processes
        The number of the next batch, and which share of it the network is given: every
        ``processes``-th example from the one of index ``rank``.
    """

    def __init__(self, network: nn.Sequential, seed: int, hidden: float, inputs: float) -> None:
        self.number, self.rank, self.processes = 0, 0, 1
        keys = layer_keys(seed, len(network[::2]))
        for layer, linear in enumerate(network[::2]):
            if p := hidden if layer else inputs:
                linear.register_forward_pre_hook(partial(self._drop, keys[layer], p))

    def _drop(self, key: Tensor, p: float, linear: nn.Module, given: tuple[Tensor]) -> Tensor:
        (h,) = given
        if not linear.training:
            return h
        whole, number = (len(h) * self.processes, h.shape[-1]), torch.tensor(self.number)
        kept = mask(key.to(h.device), number.to(h.device), whole, p, h.dtype)
        return h * kept[self.rank :: self.processes]
