"""The statistics by hand, by brute force, by their invariants and against closed forms."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reports import statistics
from reports.statistics import (
    equivalence_p,
    kendall_tau,
    share_upper,
    sign_flip_interval,
    sign_flip_p,
    sign_test_p,
    student_interval,
)

ALTERNATIVES = ("two-sided", "greater", "less")
LEVELS = (0.5, 0.8, 0.9, 1 - 1 / 16, 0.95, 1 - 0.05 / 5)
few = settings(max_examples=80, deadline=None, derandomize=True)
# Whole numbers, whose sums and halves have no rounding: ties are ties.
whole = st.lists(st.integers(-9, 9), min_size=1, max_size=8).map(lambda v: np.array(v, dtype=float))
real = st.lists(st.floats(-10, 10), min_size=6, max_size=10).map(np.array)


def normal(mean: float, deviation: float, size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, deviation, size)


def p_by_brute_force(values: np.ndarray, null: float, alternative: str) -> float:
    signs = np.array(list(itertools.product([1, -1], repeat=len(values))))
    sums, observed = signs @ (values - null), (values - null).sum()
    p = {"greater": float((sums >= observed).mean()), "less": float((sums <= observed).mean())}
    return p[alternative] if alternative in p else min(1.0, 2 * min(p.values()))


@few
@given(whole, st.integers(-9, 9), st.sampled_from(ALTERNATIVES))
def test_a_p_value_is_the_share_of_all_sign_flips(values: Any, null: int, alternative: Any) -> None:
    expected = p_by_brute_force(values, null, alternative)
    assert sign_flip_p(values, 0, alternative, null) == pytest.approx(expected, abs=1e-15)


def test_an_interval_ends_at_subset_means_that_are_counted_by_hand() -> None:
    # Of 6 values one subset is left out at each end, of 7 two: 1, 1.5 and then 2.
    assert sign_flip_interval(np.arange(1.0, 7.0), 0.95, 0) == pytest.approx((1, 6))
    assert sign_flip_interval(np.arange(1.0, 8.0), 0.95, 0) == pytest.approx((2, 6))


@pytest.mark.parametrize("number", [0, 1, 5])
def test_an_interval_of_too_few_seeds_for_its_level_is_infinite(number: int) -> None:
    assert sign_flip_interval(np.ones(number), 0.95, 0) == (-math.inf, math.inf)


@few
@given(real, st.sampled_from(LEVELS), st.data())
def test_a_null_is_outside_exactly_where_it_is_rejected(
    values: Any, level: float, data: Any
) -> None:
    subset = data.draw(st.lists(st.sampled_from(values.tolist()), min_size=1, max_size=3))
    low, high = sign_flip_interval(values, level, 0)
    nulls = [np.mean(subset), 0.0, *(end for end in (low, high) if math.isfinite(end))]
    nulls += [np.nextafter(null, side) for null in nulls for side in (-math.inf, math.inf)]
    for null in nulls:
        rejected = sign_flip_p(values, 0, null=null) <= (1 - level) * (1 + 1e-9)
        assert rejected == (not low <= null <= high)


@pytest.mark.parametrize("number", [16, 17, 40])
def test_many_seeds_have_one_sample_of_flips_for_all_nulls(number: int) -> None:
    values = normal(0.3, 1.0, number)
    low, high = sign_flip_interval(values, 0.95, seed=3)
    assert sign_flip_interval(values, 0.95, seed=3) == (low, high)
    for end, outside in ((low, -math.inf), (high, math.inf)):
        assert sign_flip_p(values, 3, null=end) > 0.05
        assert sign_flip_p(values, 3, null=np.nextafter(end, outside)) <= 0.05
    # 16 seeds have all flips, whatever the seed; of more, another seed draws others.
    assert (sign_flip_interval(values, 0.95, seed=4) == (low, high)) == (number == 16)
    assert (low, high) == pytest.approx(student_interval(values, 0.95), abs=0.05)


def test_random_flips_are_a_group_of_which_any_is_as_likely_as_none() -> None:
    subsets, flips = statistics._subsets(20, seed=1)
    flipped = (subsets > 0) @ 2 ** np.arange(20)
    group = {0, *flipped.tolist()}
    assert len(group) == flips == 2**14
    for one, other in np.random.default_rng(0).choice(flipped, (1_000, 2)).tolist():
        assert one ^ other in group


@few
@given(real, st.floats(0.1, 5), st.floats(-5, 5))
def test_an_interval_moves_and_grows_with_its_values(values: Any, by: float, plus: float) -> None:
    low, high = sign_flip_interval(values, 0.95, 0)
    moved, turned = (sign_flip_interval(each, 0.95, 0) for each in (by * values + plus, -values))
    assert moved == pytest.approx((by * low + plus, by * high + plus), abs=1e-9)
    assert turned == pytest.approx((-high, -low), abs=1e-9)
    assert low - 1e-9 <= values.mean() <= high + 1e-9


def test_values_that_are_all_the_same_have_an_interval_of_no_width() -> None:
    for value in (0.25, 0.1):
        values = np.full(8, value)
        assert sign_flip_interval(values, 0.95, seed=0) == pytest.approx((value, value))
        assert sign_flip_p(values, 0, null=value) == 1.0
        assert student_interval(values, 0.95) == pytest.approx((value, value))


def test_an_interval_covers_the_mean_as_often_as_it_says() -> None:
    samples = np.random.default_rng(0).normal(0.3, 1.0, (2_000, 8))
    intervals = [sign_flip_interval(sample, 0.95, seed=1) for sample in samples]
    covered = sum(low <= 0.3 <= high for low, high in intervals)
    # Of 256 flips 6 are left out at each end. A bootstrap covers .89 of these samples.
    least, most = stats.binom.interval(0.9999, 2_000, 1 - 12 / 256)
    assert least <= covered <= most


def test_a_sign_flip_test_rejects_no_more_often_than_it_says() -> None:
    samples = np.random.default_rng(5).normal(0, 1, (2_000, 8))
    rejected = sum(sign_flip_p(sample, 0) <= 0.05 for sample in samples)
    assert rejected <= stats.binom.ppf(0.9999, 2_000, 0.05)


def test_students_interval_is_scipys() -> None:
    values = normal(1.0, 0.5, 9)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert student_interval(values, 0.9) == pytest.approx((expected.low, expected.high))
    assert student_interval(np.ones(1), 0.9) == (-math.inf, math.inf)


def test_equivalence_needs_both_sides() -> None:
    near, beyond = normal(0.0, 0.01, 12), normal(0.2, 0.01, 12)
    assert equivalence_p(near, -0.1, 0.1, 0) < 0.001
    assert equivalence_p(beyond, -0.1, 0.1, 0) > 0.9
    assert equivalence_p(near, -math.inf, 0.1, 0) < 0.001


@few
@given(real, st.floats(-3, 0), st.floats(0, 3))
def test_equivalence_holds_where_the_narrower_interval_is_inside(
    values: Any, low: float, high: float
) -> None:
    inside = sign_flip_interval(values, 0.9, 0)
    found = equivalence_p(values, low, high, 0) <= 0.05
    assert found == (low < inside.low and inside.high < high)


def test_the_sign_test_leaves_ties_out() -> None:
    five = np.array([1.0, math.inf, 0.1, 2.0, 3.0])
    assert sign_test_p(five, "greater") == 1 / 32
    assert sign_test_p(five) == 2 / 32
    assert sign_test_p(-five, "less") == 1 / 32
    assert sign_test_p(np.array([*five, 0.0, 0.0]), "greater") == 1 / 32
    assert sign_test_p(np.array([*five, -math.inf]), "greater") == 7 / 64
    assert sign_test_p(np.zeros(4)) == 1.0


def test_an_upper_bound_on_a_share_leaves_one_in_twenty() -> None:
    assert share_upper(0, 12, 0.95) == pytest.approx(1 - 0.05 ** (1 / 12))
    assert share_upper(12, 12, 0.95) == 1.0
    for failures in (1, 5, 11):
        bound = share_upper(failures, 12, 0.95)
        assert stats.binom.cdf(failures, 12, bound) == pytest.approx(0.05)


@few
@given(st.permutations([0.1, 0.2, 0.3, 0.4, 0.5]))
def test_kendalls_tau_counts_pairs(values: list[float]) -> None:
    pairs = list(itertools.combinations(values, 2))
    expected = sum(1 if a < b else -1 for a, b in pairs) / len(pairs)
    assert kendall_tau(np.arange(5.0), np.array(values)) == pytest.approx(expected)


def test_kendalls_tau_of_values_that_are_all_the_same_is_no_order() -> None:
    assert kendall_tau(np.arange(3.0), np.ones(3)) == 0.0
