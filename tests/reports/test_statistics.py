"""The statistics against closed forms, published values and simulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reports import statistics
from reports.statistics import (
    bootstrap_interval,
    equivalence_p,
    holm,
    kaplan_meier,
    seeds_to_settle,
    sign_flip_p,
)


def normal(mean: float, deviation: float, size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, deviation, size)


def test_an_interval_covers_the_mean_as_often_as_it_says() -> None:
    samples = np.random.default_rng(0).normal(0.3, 1.0, (200, 30))
    intervals = [bootstrap_interval(sample, 0.95, seed=1) for sample in samples]
    covered = sum(low <= 0.3 <= high for low, high in intervals)
    # Binomial with 200 trials: below 176 has a chance of about 1 in 10,000 at 95%, and a bootstrap
    # of 30 values is known to fall a little short of its level.
    assert 176 <= covered <= 200


def test_an_interval_is_near_students_for_normal_values() -> None:
    values = normal(1.0, 0.5, 200)
    low, high = bootstrap_interval(values, 0.95, seed=0)
    half = stats.sem(values) * stats.t.ppf(0.975, 199)
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_the_same_seed_gives_the_same_interval_and_p_to_the_bit() -> None:
    values = normal(0.2, 1.0, 20)
    assert bootstrap_interval(values, 0.95, 3) == bootstrap_interval(values, 0.95, 3)
    assert sign_flip_p(values, 3) == sign_flip_p(values, 3)


def test_values_that_are_all_the_same_have_an_interval_of_no_width() -> None:
    assert bootstrap_interval(np.full(8, 0.25), 0.95, seed=0) == (0.25, 0.25)


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


def test_seeds_to_settle_are_those_of_a_known_spread() -> None:
    values = np.array([0.9, 1.1] * 10)  # mean 1, deviation 0.1026
    number = seeds_to_settle(values, [0.98], fewest=6)
    assert number is not None
    for count, clear in ((number, True), (number - 1, False)):
        half = stats.t.ppf(0.975, count - 1) * values.std(ddof=1) / math.sqrt(count)
        assert (half < 0.02) == clear
    assert seeds_to_settle(values, [1.0], fewest=6) is None


def test_kaplan_meier_is_the_textbooks() -> None:
    # Freireich et al. (1963), 6-mercaptopurine: weeks in remission, + censored.
    times = np.array([6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35])
    fitted = np.array([1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0], dtype=bool)
    curve = kaplan_meier(times.astype(float), fitted)
    at = dict(zip(curve.time.tolist(), curve.share.tolist(), strict=True))
    published = {
        6.0: 0.857,
        7.0: 0.807,
        10.0: 0.753,
        13.0: 0.690,
        16.0: 0.627,
        22.0: 0.538,
        23.0: 0.448,
    }
    for week, share in published.items():
        assert at[week] == pytest.approx(share, abs=5e-4)
    assert (curve.low <= curve.share).all()
    assert (curve.share <= curve.high).all()


def test_kaplan_meier_of_runs_that_never_fit_stays_at_one() -> None:
    curve = kaplan_meier(np.array([5.0, 5.0]), np.array([False, False]))
    assert curve.share.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_signs_of_many_seeds_are_flipped_as_of_few(alternative: Any) -> None:
    values = np.random.default_rng(1).normal(0.1, 1.0, 300)
    ours = statistics._many_sign_flips_p(values, 0, alternative)
    assert ours == pytest.approx(sign_flip_p(values, 0, alternative), abs=0.02)
