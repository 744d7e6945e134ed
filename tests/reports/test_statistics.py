"""The statistics against closed forms, published values and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reports.statistics import (
    equivalence_p,
    holm,
    sign_flip_interval,
    sign_flip_p,
)


def normal(mean: float, deviation: float, size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, deviation, size)


def test_an_interval_covers_the_mean_as_often_as_it_says() -> None:
    samples = np.random.default_rng(0).normal(0.3, 1.0, (200, 30))
    intervals = [sign_flip_interval(sample, 0.95, seed=1) for sample in samples]
    covered = sum(low <= 0.3 <= high for low, high in intervals)
    # Binomial with 200 trials: below 176 has a chance of about 1 in 10,000 at 95%, and a bootstrap
    # of 30 values is known to fall a little short of its level.
    assert 176 <= covered <= 200


def test_an_interval_is_near_students_for_normal_values() -> None:
    values = normal(1.0, 0.5, 200)
    low, high = sign_flip_interval(values, 0.95, seed=0)
    half = stats.sem(values) * stats.t.ppf(0.975, 199)
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_the_same_seed_gives_the_same_interval_and_p_to_the_bit() -> None:
    values = normal(0.2, 1.0, 20)
    assert sign_flip_interval(values, 0.95, 3) == sign_flip_interval(values, 0.95, 3)
    assert sign_flip_p(values, 3) == sign_flip_p(values, 3)


def test_values_that_are_all_the_same_have_an_interval_of_no_width() -> None:
    assert sign_flip_interval(np.full(8, 0.25), 0.95, seed=0) == pytest.approx((0.25, 0.25))


def test_a_sign_flip_test_counts_all_flips_of_few_values() -> None:
    # All of the 2^8 means are at most the observed one, and 1 is equal.
    assert sign_flip_p(np.arange(1.0, 9.0), 0, "greater") == 1 / 256
    assert sign_flip_p(np.arange(1.0, 9.0), 0) == 2 / 256
    assert sign_flip_p(-np.arange(1.0, 9.0), 0, "greater") == 1.0


def test_a_sign_flip_test_rejects_no_more_often_than_it_says() -> None:
    samples = np.random.default_rng(5).normal(0, 1, (300, 8))
    rejected = sum(sign_flip_p(sample, 0) < 0.05 for sample in samples)
    assert rejected <= stats.binom.ppf(0.999, 300, 0.05)


def test_equivalence_needs_both_sides() -> None:
    near, beyond = normal(0.0, 0.01, 12), normal(0.2, 0.01, 12)
    assert equivalence_p(near, -0.1, 0.1, 0) < 0.001
    assert equivalence_p(beyond, -0.1, 0.1, 0) > 0.9
    assert equivalence_p(near, -math.inf, 0.1, 0) < 0.001


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_monotone_no_smaller_and_at_most_one(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values)
    assert all(np.diff(np.array(adjusted)[order]) >= 0)
    assert min(adjusted) == min(1.0, min(p_values) * len(p_values))
