"""Conditions: how many labels are redrawn and which, nested over noise, and destroyed inputs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare

from study.base import streams
from study.base.errors import BadInput
from study.data.conditions import (
    noisy_labels,
    split,
)

LABELS = np.arange(20_000) % 10
SCHEMES = ["uniform", "permuted"]
# Draws are the same every time: a p-value below this means a wrong distribution, not bad luck.
UNLIKELY = 1e-3
some = settings(max_examples=50, deadline=None, derandomize=True)
numbers = st.integers(0, 2**40)
probability = st.floats(0, 1)

# Labels


@pytest.mark.parametrize("scheme", SCHEMES)
@some
@given(labels=st.lists(st.integers(0, 9), max_size=30), seed=numbers)
def test_without_noise_every_label_stays(scheme: str, labels: list[int], seed: int) -> None:
    true = np.array(labels, dtype=np.int64)
    noisy = noisy_labels(true, 0.0, 10, seed, scheme=scheme)
    assert np.array_equal(noisy.labels, true)
    assert not noisy.redrawn.any()


def test_even_the_smallest_draw_leaves_a_label_without_noise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "uniform", lambda seed, stream, shape, counter=0: np.zeros(shape))
    assert not noisy_labels(LABELS, 0.0, 10, seed=0).redrawn.any()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_with_noise_of_1_every_label_is_redrawn(scheme: str) -> None:
    assert noisy_labels(LABELS, 1.0, 10, seed=0, scheme=scheme).redrawn.all()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("noise", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("seed", [0, 1])
def test_about_the_share_asked_for_is_redrawn_and_nine_tenths_of_it_changed(
    noise: float, seed: int, scheme: str
) -> None:
    noisy = noisy_labels(LABELS, noise, 10, seed, scheme=scheme)
    n = len(LABELS)
    # Five standard deviations of a binomial distribution.
    for count, share in (
        (noisy.redrawn.sum(), noise),
        ((noisy.labels != LABELS).sum(), 0.9 * noise),
    ):
        assert abs(count - share * n) < 5 * math.sqrt(n * share * (1 - share))
    assert np.array_equal(noisy.labels[~noisy.redrawn], LABELS[~noisy.redrawn])


@pytest.mark.parametrize("scheme", SCHEMES)
@some
@given(
    labels=st.lists(st.integers(0, 3), max_size=50),
    seed=numbers,
    noises=st.tuples(probability, probability).map(sorted),
)
def test_what_is_redrawn_at_lower_noise_is_among_what_is_redrawn_at_higher(
    scheme: str, labels: list[int], seed: int, noises: list[float]
) -> None:
    true = np.array(labels, dtype=np.int64)
    low, high = (noisy_labels(true, noise, 4, seed, scheme=scheme) for noise in noises)
    assert (high.redrawn | ~low.redrawn).all()
    if scheme == "uniform":
        assert np.array_equal(low.labels[low.redrawn], high.labels[low.redrawn])


@some
@given(labels=st.lists(st.integers(0, 3), max_size=50), seed=numbers, noise=probability)
def test_permuted_labels_keep_the_count_of_every_class(
    labels: list[int], seed: int, noise: float
) -> None:
    true = np.array(labels, dtype=np.int64)
    noisy = noisy_labels(true, noise, 4, seed, scheme="permuted")
    assert sorted(noisy.labels.tolist()) == sorted(labels)
    # Those not chosen stay, so the chosen ones keep their counts among themselves.
    assert np.array_equal(noisy.labels[~noisy.redrawn], true[~noisy.redrawn])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_redrawn_labels_know_nothing_of_the_true_ones(scheme: str) -> None:
    noisy = noisy_labels(LABELS, 1.0, 10, seed=0, scheme=scheme).labels
    table = np.zeros((10, 10), dtype=int)
    np.add.at(table, (LABELS, noisy), 1)
    assert chi2_contingency(table).pvalue > UNLIKELY


def test_uniform_labels_take_every_class_as_often() -> None:
    noisy = noisy_labels(np.zeros(20_000, dtype=np.int64), 1.0, 10, seed=0).labels
    assert chisquare(np.bincount(noisy, minlength=10)).pvalue > UNLIKELY


def test_which_labels_are_redrawn_is_a_function_of_the_seed_and_the_stream() -> None:
    first, again = (noisy_labels(LABELS, 0.5, 10, seed=3) for _ in range(2))
    assert all(map(np.array_equal, first, again))
    for other in (
        noisy_labels(LABELS, 0.5, 10, seed=4),
        noisy_labels(LABELS, 0.5, 10, seed=3, stream="test_labels"),
    ):
        # Independent masks agree on half of 20,000 labels, give or take 71.
        assert abs((first.redrawn == other.redrawn).sum() - 10_000) < 5 * 71


def test_the_true_labels_are_left_as_they_were() -> None:
    true = LABELS.copy()
    for scheme in SCHEMES:
        noisy_labels(true, 1.0, 10, seed=0, scheme=scheme)
    assert np.array_equal(true, LABELS)


# Subsets


@some
@given(
    available=st.integers(0, 200),
    sizes=st.tuples(st.integers(0, 200), st.integers(0, 200)),
    seed=numbers,
)
def test_a_smaller_subset_is_in_a_larger_one(
    available: int, sizes: tuple[int, int], seed: int
) -> None:
    small, large = sorted(min(size, available) for size in sizes)
    (inner, _), (outer, _) = (split(size, 0, available, seed) for size in (small, large))
    assert (len(inner), len(outer)) == (small, large)
    assert set(inner.tolist()) <= set(outer.tolist()) <= set(range(available))
    assert np.array_equal(inner, np.unique(inner))  # sorted, and each once
    for everything in (available, None):
        assert split(everything, 0, available, seed)[0].tolist() == list(range(available))


@given(st.integers(2, 60), st.tuples(st.integers(1, 60), st.integers(1, 60)), numbers)
def test_a_validation_set_is_in_a_larger_one_and_shares_nothing_with_any_training_set(
    available: int, sizes: tuple[int, int], seed: int
) -> None:
    small, large = sorted(min(size, available - 1) for size in sizes)
    whole = set(range(available))
    rest, outer = split(None, large, available, seed)
    inner = split(None, small, available, seed)[1]
    assert (len(inner), len(outer)) == (small, large)
    assert np.array_equal(outer, np.unique(outer))  # sorted, and each once
    assert set(inner.tolist()) <= set(outer.tolist()) < whole
    assert set(rest.tolist()) == whole - set(outer.tolist())
    for train in {1, available - large}:
        chosen, same = split(train, large, available, seed)
        assert np.array_equal(same, outer)
        # A training subset is the one without a split.
        assert np.array_equal(chosen, split(train, 0, available, seed)[0])
        assert not set(chosen.tolist()) & set(outer.tolist())


def test_every_example_is_as_likely_to_be_in_a_subset() -> None:
    counts = np.bincount(np.concatenate([split(10, 0, 40, seed)[0] for seed in range(400)]))
    assert len(counts) == 40
    # 400 draws with probability 1/4: 100, give or take 8.7.
    assert np.abs(counts - 100).max() < 5 * 8.7


# Names


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_misspelt_scheme_is_refused_with_the_nearest_whether_it_is_used_or_not(
    noise: float,
) -> None:
    with pytest.raises(BadInput, match=r"^scheme: .*'permutd'; did you mean 'permuted'\?$"):
        noisy_labels(LABELS, noise, 10, seed=0, scheme="permutd")
