"""Power and numbers of seeds against brute force and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from reports.statistics import power, seeds_for, seeds_needed, seeds_to_settle, sign_flip_p


def test_as_many_seeds_are_needed_as_the_smallest_p_value_takes() -> None:
    for claims in range(1, 200):
        numbers = range(1, 40)
        assert seeds_needed(claims) == next(n for n in numbers if 2 * claims / 2**n <= 0.05)
    for claims in (1, 5, 17):
        number = seeds_needed(claims)
        assert (
            sign_flip_p(np.ones(number), 0) <= 0.05 / claims < sign_flip_p(np.ones(number - 1), 0)
        )


@pytest.mark.parametrize("claims", [1, 5, 17])
def test_no_effect_has_power_below_the_seeds_needed(claims: int) -> None:
    number = seeds_needed(claims)
    assert power(1e9, 1.0, number - 1, claims) == 0.0
    assert power(1e9, 1.0, number, claims) == 1.0


@pytest.mark.parametrize("number", [6, 12])
def test_power_is_the_share_of_samples_that_are_rejected(number: int) -> None:
    samples = np.random.default_rng(7).normal(1.0, 1.5, (1_000, number))
    rejected = np.mean([sign_flip_p(sample, 0) <= 0.05 for sample in samples])
    # Two shares of 1,000: 4 standard deviations of their difference.
    assert power(1.0, 1.5, number) == pytest.approx(rejected, abs=4 * math.sqrt(0.5 / 1_000))


def test_power_of_many_seeds_is_the_noncentral_ts() -> None:
    found = power(0.5, 1.0, 40, claims=5)
    t = stats.t.ppf(1 - 0.005, 39)
    expected = stats.nct.sf(t, 39, 0.5 * math.sqrt(40))
    assert found == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 1_000))


def test_power_of_no_effect_is_the_level() -> None:
    for number in (8, 40):
        assert power(0.0, 1.0, number) == pytest.approx(0.05, abs=0.03)


def test_fewest_seeds_have_the_power() -> None:
    for effect, claims in ((1.2, 1), (0.8, 5), (0.3, 1)):
        number = seeds_for(effect, 1.0, (0.0,), claims)
        assert number is not None
        assert power(effect, 1.0, number, claims) >= 0.8
        assert number == seeds_needed(claims) or power(effect, 1.0, number - 1, claims) < 0.8


def test_seeds_to_settle_are_more_than_there_are() -> None:
    values = np.array([0.9, 1.1] * 10)
    assert seeds_to_settle(values, [0.5], claims=1) == 21
    assert seeds_to_settle(values, [1.0], claims=1) is None
    assert seeds_to_settle(values[:1], [0.5], claims=1) is None
    near = seeds_to_settle(values, [0.98], claims=1)
    assert near == pytest.approx(8 * (0.1026 / 0.02) ** 2, rel=0.05)  # (1.96 + 0.84)^2 = 8


def test_an_equivalence_is_settled_at_both_bounds() -> None:
    values = np.array([-1.0, 1.0] * 3)
    one, both = (seeds_to_settle(values, margins, 1) for margins in ([-0.5, 9.0], [-0.5, 0.5]))
    assert one is not None
    assert both is not None
    assert one < both
    # Beyond the bounds, the nearest is what it is compared with.
    assert seeds_to_settle(values + 0.9, [-0.5, 0.5], 1) == seeds_to_settle(values + 0.9, [0.5], 1)
