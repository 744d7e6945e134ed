"""Random streams: pinned, pure, independent of each other, and of the distributions they name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from study.base import streams
from study.base.errors import BadInput

some = settings(max_examples=50, deadline=None, derandomize=True)
numbers = st.integers(0, 2**70)
names = st.sampled_from(["order", "subset", "initial/0/weight", "train_labels/redrawn", "Ünïcode"])
counters = st.integers(0, 2**40)

# Tests of distributions look at draws that are the same every time: a p-value below this would
# mean a wrong distribution, not bad luck.
UNLIKELY = 1e-3


# A change of these numbers changes every result of every study: nobody may do it unknowingly.
GOLDEN = [
    ((0, "order", 4, 0), "9faddb0676a1c7c8 9e22773d2a443f77 cd90afcc6fe147a4 1ad8ebd330cd79e1"),
    ((0, "order", 4, 1), "35278629a317ff64 a5367639ed1d4fbc 3859e3acd5f01f71 43adadeb06626f3"),
    ((1, "order", 4, 0), "3678f9989d45b63a 5bbb59ad484f5b7e 4d4a1c8464def9f7 bcde2cc3f30136c7"),
    ((0, "initial/0/weight", 2, 0), "d5feef480fcb0543 dbdad0fd28784f52"),
    ((2**70, "x", 2, 3), "dd98916c2d4147f4 840129ae1dc958cb"),
]


@pytest.mark.parametrize(("arguments", "words"), GOLDEN)
def test_words_are_the_pinned_ones(arguments: tuple[int, str, int, int], words: str) -> None:
    assert " ".join(f"{word:x}" for word in streams.words(*arguments).tolist()) == words


def test_everything_made_of_the_words_is_pinned_too() -> None:
    assert streams.uniform(0, "order", (2, 2)).tolist() == [
        [0.6237465754298972, 0.6177134060219637],
        [0.8029889940370412, 0.10487245470067375],
    ]
    assert streams.permutation(0, "order", 8, counter=5).tolist() == [3, 6, 7, 5, 4, 0, 1, 2]
    drawn = streams.integers(7, "train_labels/drawn", 10, 12)
    assert drawn.tolist() == [1, 3, 6, 1, 1, 5, 7, 0, 4, 0, 4, 5]
    # SciPy's inverse of the distribution function may change in its last digits.
    expected = [-0.6978356519872554, 0.12732252286059126, -1.1423630354137526]
    assert streams.normal(0, "g", (3,)).tolist() == pytest.approx(expected, rel=1e-13)


# Purity


@some
@given(numbers, names, counters, st.integers(0, 50), st.integers(0, 50))
def test_words_depend_on_nothing_but_seed_stream_and_counter(
    seed: int, stream: str, counter: int, size: int, more: int
) -> None:
    first = streams.words(seed, stream, size, counter)
    np.random.seed(3)  # noqa: NPY002  # a global generator is what must not matter
    streams.words(seed + 1, stream, 7, counter)
    longer = streams.words(seed, stream, size + more, counter)
    assert first.shape == (size,)
    assert np.array_equal(first, longer[:size])


def test_no_global_generator_is_used_up() -> None:
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    streams.normal(0, "x", (10,))
    streams.permutation(0, "x", 10)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


# Independence


@some
@given(numbers, numbers, names, names, counters, counters)
def test_another_seed_stream_or_counter_shares_no_word(
    seed: int, other_seed: int, stream: str, other_stream: str, counter: int, other_counter: int
) -> None:
    here, there = (seed, stream, counter), (other_seed, other_stream, other_counter)
    a = streams.words(seed, stream, 100, counter)
    b = streams.words(other_seed, other_stream, 100, other_counter)
    # Of 64-bit words, two of 200 are equal by chance once in 10^15.
    assert len(np.intersect1d(a, b)) == (100 if here == there else 0)


def test_parts_of_a_stream_do_not_overlap() -> None:
    parts = [streams.words(0, "order", 10_000, counter) for counter in (0, 1, 2, 3, 255, 256)]
    assert len(np.unique(np.concatenate(parts))) == 60_000


def test_seed_and_stream_are_not_run_together() -> None:
    names = [(1, "2/x"), (12, "x"), (1, "2x"), (12, "/x")]
    drawn = {tuple(streams.words(seed, stream, 3).tolist()) for seed, stream in names}
    assert len(drawn) == 4


def test_neighbouring_seeds_streams_and_counters_are_uncorrelated() -> None:
    draws = [
        streams.uniform(seed, f"initial/{layer}/weight", (20_000,), counter)
        for seed in (0, 1)
        for layer in (0, 1)
        for counter in (0, 1)
    ]
    correlation = np.corrcoef(draws) - np.eye(len(draws))
    # Five standard deviations of the correlation of independent draws.
    assert np.abs(correlation).max() < 5 / np.sqrt(20_000)


# Distributions


@some
@given(numbers, names, st.lists(st.integers(0, 7), max_size=3), counters)
def test_uniform_numbers_are_in_0_to_1_multiples_of_2_to_the_minus_53(
    seed: int, stream: str, shape: list[int], counter: int
) -> None:
    drawn = streams.uniform(seed, stream, tuple(shape), counter)
    assert drawn.shape == tuple(shape)
    assert ((drawn >= 0) & (drawn < 1)).all()
    assert np.array_equal(drawn * 2.0**53, np.floor(drawn * 2.0**53))


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_uniform_numbers_are_uniform(seed: int) -> None:
    drawn = streams.uniform(seed, "x", (100_000,))
    counts = np.bincount((drawn * 64).astype(int), minlength=64)
    assert chisquare(counts).pvalue > UNLIKELY
    # And so are their pairs.
    cells = np.floor(drawn.reshape(-1, 2) * 16) @ [16, 1]
    assert chisquare(np.bincount(cells.astype(int), minlength=256)).pvalue > UNLIKELY


@pytest.mark.parametrize("seed", [0, 1])
def test_integers_are_uniform_below_their_bound(seed: int) -> None:
    drawn = streams.integers(seed, "x", 10, 50_000)
    counts = np.bincount(drawn)
    assert len(counts) == 10
    assert chisquare(counts).pvalue > UNLIKELY
    assert not streams.integers(seed, "x", 1, 100).any()


@some
@given(numbers, names, st.integers(0, 300), counters)
def test_a_permutation_has_everything_once(seed: int, stream: str, size: int, counter: int) -> None:
    order = streams.permutation(seed, stream, size, counter)
    assert sorted(order.tolist()) == list(range(size))


def test_all_orders_of_four_are_as_likely() -> None:
    orders = [tuple(streams.permutation(0, "order", 4, epoch)) for epoch in range(4_800)]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert chisquare(counts).pvalue > UNLIKELY


@pytest.mark.parametrize("seed", [0, 1])
def test_normal_numbers_are_standard_normal(seed: int) -> None:
    drawn = streams.normal(seed, "x", (100_000,))
    # Five standard errors: 1/sqrt(n) of the mean, sqrt(2/n) of the variance.
    assert abs(drawn.mean()) < 5 / np.sqrt(100_000)
    assert abs(drawn.var() - 1) < 5 * np.sqrt(2 / 100_000)
    assert kstest(drawn, "norm").pvalue > UNLIKELY
    assert np.isfinite(drawn).all()
    assert streams.normal(seed, "x", (2, 3)).shape == (2, 3)


def test_the_smallest_uniform_number_gives_a_finite_normal_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "uniform", lambda *_: np.zeros(1))
    assert np.isfinite(streams.normal(0, "x", (1,))).all()


# Seeds and counters that are none

NO_WHOLE_NUMBERS = [
    *("1/2", "1", "", -1, np.int64(-1), 1.0, 0.5, np.float64(2), float("nan"), True, False),
    *(np.True_, None, b"1", [1], (1,), np.array([1]), 1 + 0j),
]
DRAWS: dict[str, Callable[..., Any]] = {
    "words": lambda seed, counter: streams.words(seed, "x", 3, counter),
    "uniform": lambda seed, counter: streams.uniform(seed, "x", (3,), counter),
    "integers": lambda seed, counter: streams.integers(seed, "x", 10, 3, counter),
    "permutation": lambda seed, counter: streams.permutation(seed, "x", 3, counter),
    "normal": lambda seed, counter: streams.normal(seed, "x", (3,), counter),
}


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("value", NO_WHOLE_NUMBERS, ids=repr)
def test_a_seed_or_counter_that_is_no_whole_number_from_0_is_refused(draw: str, value: Any) -> None:
    with pytest.raises(BadInput, match=r"^seed: expected a whole number of at least 0, found"):
        DRAWS[draw](value, 0)
    with pytest.raises(BadInput, match=r"^counter: expected a whole number of at least 0"):
        DRAWS[draw](0, value)


def test_a_counter_is_below_2_to_the_63() -> None:
    last = streams.words(0, "x", 3, 2**63 - 1)
    assert not np.array_equal(last, streams.words(0, "x", 3, 2**63 - 2))
    for counter in (2**63, np.uint64(2**63), 2**64):
        with pytest.raises(BadInput, match=r"^counter: .* and below 9223372036854775808, found"):
            streams.words(0, "x", 3, counter)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int64, np.uint64])
def test_numpys_whole_numbers_have_the_streams_of_pythons(kind: Any) -> None:
    assert np.array_equal(streams.words(kind(7), "x", 3, kind(5)), streams.words(7, "x", 3, 5))


def test_no_seed_has_the_streams_of_another_under_another_name() -> None:
    # Written out, seed and stream of both would be "1/2/x".
    streams.words(1, "2/x", 3)
    with pytest.raises(BadInput, match="found '1/2'"):
        streams.words("1/2", "x", 3)  # type: ignore[arg-type]
