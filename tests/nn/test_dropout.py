"""Masks of dropout: published words, addresses that share nothing, and fair draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest
from torch import Tensor, nn

from study.nn.dropout import (
    GAMMA,
    WORDS_A_BATCH,
    Dropout,
    PlainDropout,
    layer_keys,
    mask,
    splitmix64,
)

some = settings(max_examples=50, deadline=None, derandomize=True)
seeds = st.integers(0, 2**70)
batch_numbers = st.integers(0, 2**32 - 1)

# Draws are the same every time: a p-value below this means a wrong distribution, not bad luck.
UNLIKELY = 1e-3


def drawn(seed: int, number: int, shape: tuple[int, int], p: float = 0.5, layer: int = 0) -> Tensor:
    """Return one layer's mask in float64."""
    key = layer_keys(seed, layer + 1)[layer]
    return mask(key, torch.tensor(number), shape, p, torch.float64)


def mixed(key: int, n: int) -> int:
    """Return word n of SplitMix64, from 1, in Python's integers (Steele et al., 2014)."""
    z = (key + n * GAMMA) % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


def test_words_are_those_that_the_generators_author_publishes() -> None:
    # Of Vigna's splitmix64.c, seed 1234567.
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    found = splitmix64(torch.tensor(1234567), 5)
    assert [word % 2**64 for word in found.tolist()] == published


@some
@given(st.integers(-(2**63), 2**63 - 1), st.integers(1, 50))
def test_words_are_the_algorithms_for_any_key(key: int, count: int) -> None:
    found = [word % 2**64 for word in splitmix64(torch.tensor(key), count).tolist()]
    assert found == [mixed(key, n) for n in range(1, count + 1)]


@some
@given(seeds, batch_numbers, st.integers(1, 9), st.integers(1, 9), st.floats(0, 0.99))
def test_a_mask_is_what_the_words_of_its_address_say(
    seed: int, number: int, batch: int, width: int, p: float
) -> None:
    key = layer_keys(seed, 1)
    found = mask(key[0], torch.tensor(number), (batch, width), p, torch.float64)
    first = number * WORDS_A_BATCH
    words = [mixed(int(key[0]), first + 1 + n) for n in range(-(-batch * width // 2))]
    # The lower half of a word comes first; halves are signed.
    halves = [half for word in words for half in (word % 2**32, word >> 32)][: batch * width]
    kept = [(half + 2**31) % 2**32 >= round(p * 2**32) for half in halves]
    assert (found.flatten() != 0).tolist() == kept
    assert set(found.unique().tolist()) <= {0.0, 1 / (1 - p)}


# This is what a dropout study's results hang on: nobody may change it unknowingly.
PINNED = "0220202000220022222222022222200220200222"


def test_masks_are_the_pinned_ones() -> None:
    text = "".join(f"{value:.0f}" for value in drawn(3, 5, (4, 10), layer=2).flatten().tolist())
    assert text == PINNED


def test_masks_depend_on_seed_layer_and_number_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    shape, before = (40, 300), torch.get_num_threads()
    expected = drawn(1, 7, shape, 0.3)
    torch.manual_seed(5)
    torch.set_num_threads(2)
    assert torch.equal(drawn(1, 7, shape, 0.3), expected)
    torch.set_num_threads(before)
    # A stack, whose runs are at other batches, has each run's own; in any type.
    numbers = torch.tensor([0, 7, 2**31])
    for dtype in (torch.float32, torch.float64):
        x = torch.rand(3, 40, 300, dtype=dtype)
        dropout = Dropout([4, 8, 9], (300, 7), (0.3, 0.0), x.device)
        dropout.reseed(1, 1)
        for _ in range(2):  # in buffers, too
            both = dropout.masks(slice(None), x, numbers)
            assert both[1] is None
            assert torch.equal(both[0][1], expected.to(dtype))
            assert torch.equal(dropout.masks(1, x[1], numbers[1])[0], expected.to(dtype))
            dropout.masks(slice(None), x, numbers + 1)
    # The rows of a last batch, which is smaller, are those of a whole one.
    assert torch.equal(drawn(1, 7, (13, 300), 0.3), expected[:13])
    others = [drawn(2, 7, shape, 0.3), drawn(1, 8, shape, 0.3), drawn(1, 7, shape, 0.3, layer=1)]
    assert not any(torch.equal(other, expected) for other in others)


def test_what_is_dropped_at_a_lower_probability_is_dropped_at_a_higher() -> None:
    low, high = (drawn(0, 0, (50, 60), p) == 0 for p in (0.2, 0.7))
    assert bool((high | ~low).all())
    assert low.sum() < high.sum()
    assert bool(drawn(0, 0, (50, 60), 2**-40).all())
    assert not drawn(0, 0, (50, 60), 1 - 2**-53).any()


# Statistics


@pytest.mark.parametrize("p", [0.1, 0.5, 0.83])
def test_masks_keep_their_share_and_the_mean_of_what_they_multiply(p: float) -> None:
    found = torch.stack([drawn(0, number, (100, 200), p) for number in range(20)])
    deviation = (p / (1 - p)) ** 0.5  # of one element, whose mean is 1
    for dimensions in ((0, 1, 2), (0, 1), (1, 2)):  # all; a column's; a batch's
        means = found.mean(dimensions)
        draws = found.numel() / means.numel()
        assert float((means - 1).abs().max()) < 5 * deviation / draws**0.5


def halves(key: int, first: int, count: int) -> np.ndarray:
    """Return 32-bit draws of a stretch of a stream as numbers in [0, 1)."""
    start = torch.tensor((key + first * GAMMA + 2**63) % 2**64 - 2**63)
    words = splitmix64(start, count // 2).view(torch.int32).numpy()
    return words.astype(np.uint32).astype(np.float64) / 2**32


@pytest.mark.parametrize("first", [0, 5 * WORDS_A_BATCH, 2**40 * WORDS_A_BATCH])
def test_draws_are_uniform_alone_in_pairs_and_in_triples(first: int) -> None:
    draws = halves(int(layer_keys(0, 1)[0]), first, 600_000)
    assert kstest(draws, "uniform").pvalue > UNLIKELY
    for together, cells in ((2, 32), (3, 8)):
        for gap in (1, 2, 256, 784):  # neighbours in a row, and in a column of usual widths
            whole = len(draws) // (gap * together) * gap * together
            tuples = (draws[:whole].reshape(-1, together, gap) * cells).astype(int)
            cell = (tuples * cells ** np.arange(together)[:, None]).sum(1).ravel()
            assert chisquare(np.bincount(cell, minlength=cells**together)).pvalue > UNLIKELY
    ones = np.unpackbits((draws[:, None] * 2**32).astype(np.uint32).view(np.uint8), axis=1)
    # Each of 32 bits is set in half of the draws, give or take 5 standard deviations.
    assert np.abs(ones.mean(0) - 0.5).max() < 5 * 0.5 / 600_000**0.5


def test_masks_of_other_addresses_are_uncorrelated() -> None:
    addresses: Sequence[tuple[int, int, int]] = [
        (seed, number, layer)
        for seed in (0, 1)
        for number in (0, 1, 2, 2**16, 2**31)
        for layer in (0, 1)
    ]
    found = [drawn(s, n, (100, 256), layer=layer).flatten().numpy() for s, n, layer in addresses]
    correlation = np.corrcoef(found) - np.eye(len(found))
    assert np.abs(correlation).max() < 5 / 25_600**0.5


def test_one_flipped_bit_of_an_address_flips_half_of_the_words_bits() -> None:
    keys = layer_keys(0, 200)
    words = splitmix64(keys, 1)
    for bit in range(64):
        flipped = splitmix64(keys ^ (torch.tensor(1) << bit), 1) ^ words
        ones = np.unpackbits(flipped.numpy().view(np.uint8)).mean()
        assert abs(ones - 0.5) < 5 * 0.5 / (200 * 64) ** 0.5


def test_batches_share_no_word() -> None:
    drawn_at = [halves(int(layer_keys(0, 1)[0]), n * WORDS_A_BATCH, 100_000) for n in range(4)]
    words = np.concatenate(drawn_at).reshape(-1, 2)
    assert len(np.unique(words, axis=0)) == 200_000


def test_a_plain_network_drops_what_a_stack_drops_in_training_alone() -> None:
    network = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    x = torch.rand(5, 6, dtype=torch.float64)
    network.eval()
    expected = network(x)
    dropout = PlainDropout(network, seed=3, hidden=0.5, inputs=0.2)
    assert torch.equal(network(x), expected)
    network.train()
    dropout.number = 7
    first, second = Dropout([3], (6, 4), (0.2, 0.5), x.device).masks(0, x, torch.tensor(7))
    assert first is not None
    assert second is not None
    h = torch.tanh(nn.functional.linear(x * first, network[0].weight, network[0].bias))
    z = nn.functional.linear(h * second, network[2].weight, network[2].bias)
    assert torch.equal(network(x), z)
    # Two processes that share a batch drop together what one drops.
    for rank in (0, 1):
        dropout.rank, dropout.processes = rank, 2
        share = network(x[:4][rank::2])
        torch.testing.assert_close(share, z[:4][rank::2], rtol=1e-14, atol=1e-15)
