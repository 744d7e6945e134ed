"""Intervals, p-values and power of verdicts, with random numbers from a given seed.

Values are effects, one a seed; nothing here knows what they are of.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]
Alternative = Literal["two-sided", "greater", "less"]

MOST_EXACT = 16  # seeds, of which all 65,536 sign flips are made
FLIPS = 2**14  # of more seeds
POWER, SIMULATIONS = 0.8, 1_000
MOST_SEEDS, MOST_FLIPPED = 1_000, 14  # of a plan, and whose signs are flipped in simulations


class Interval(NamedTuple):
    """An interval of an effect."""

    low: float
    high: float


def sign_flip_interval(values: Values, level: float, seed: int) -> Interval:
    """Return the interval of a mean that holds every null which flipping signs does not reject.

    Flipping a subset's signs raises the sum of values less a null exactly where the subset's mean
    is below the null, so the endpoints are order statistics of subset means (Hartigan, 1969). A
    null lies outside exactly where `sign_flip_p` is at most ``1 - level``.

    It is infinite where there are too few values for the level (see `seeds_needed`).

    Examples
    --------
    At 95 % it ends at the smallest and largest of 63 means: the range of the 6 values.

    >>> low, high = sign_flip_interval(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), 0.95, seed=0)
    >>> round(low, 9), round(high, 9)
    (1.0, 6.0)
    """
    means, flips = _subset_means(values, seed)
    # The part of a billionth is for levels such as 1 - 1/64, which have no exact number.
    rank = math.floor((1 - level) / 2 * flips * (1 + 1e-9)) - (flips - len(means))
    if rank < 0:
        return Interval(-math.inf, math.inf)
    sorted_there = np.partition(means, [rank, len(means) - 1 - rank])
    slack = _slack(values)
    return Interval(float(sorted_there[rank] - slack), float(sorted_there[-1 - rank] + slack))


def sign_flip_p(
    values: Values, seed: int, alternative: Alternative = "two-sided", null: float = 0.0
) -> float:
    """Return the p-value of a mean by flipping the signs of the values less it.

    Parameters
    ----------
    seed
        Of the 16,384 random flips that stand for all, of more than 16 values.

    Examples
    --------
    >>> sign_flip_p(np.ones(6), seed=0, alternative="greater")
    0.015625
    """
    means, flips = _subset_means(values, seed)
    slack, always = _slack(values), flips - len(means)
    greater = (always + np.count_nonzero(means - slack <= null)) / flips
    less = (always + np.count_nonzero(means + slack >= null)) / flips
    both = min(1.0, 2 * min(greater, less))
    return float({"greater": greater, "less": less, "two-sided": both}[alternative])


def _slack(values: Values) -> float:
    """Return how far apart two means are still the same, because sums are rounded."""
    return 1e-12 * float(np.abs(values).max(initial=0.0))


def _subset_means(values: Values, seed: int) -> tuple[Values, int]:
    """Return the mean of each subset that is flipped, and the number of flips with that of none."""
    subsets, flips = _subsets(len(values), seed if len(values) > MOST_EXACT else 0)
    return subsets @ values, flips


@lru_cache(maxsize=4)
def _subsets(number: int, seed: int) -> tuple[Values, int]:
    """Return the weights of each value in the mean of each subset, [subset, value].

    A flip is a number, and flips a value where it shares an odd number of bits with that value's
    own. Of up to 16 values each has a bit, so that all flips are made. Of more, random bits give a
    random group of flips: undone or one after another they are among themselves again, which keeps
    the test exact (Hemerik and Goeman, 2018).
    """
    rng, flips = np.random.default_rng(seed), FLIPS
    if number <= MOST_EXACT:
        flips, bits = 2**number, 2 ** np.arange(number)
    else:
        bits = rng.choice(np.arange(1, flips), number, replace=number >= flips)
    chosen = np.bitwise_count(np.arange(flips)[:, None] & bits) % 2
    chosen = chosen[chosen.any(axis=1)]
    return chosen / chosen.sum(axis=1, keepdims=True), flips


def student_interval(values: Values, level: float) -> Interval:
    """Return Student's interval of a mean: right for normal values, infinite for a single one.

    Examples
    --------
    >>> low, high = student_interval(np.array([1.0, 2.0, 3.0]), 0.95)
    >>> round(low, 2), round(high, 2)
    (-0.48, 4.48)
    """
    mean = float(values.mean())
    if len(values) < 2:
        return Interval(-math.inf, math.inf)
    half = float(stats.sem(values) * stats.t.ppf((1 + level) / 2, len(values) - 1))
    return Interval(mean - half, mean + half)


def equivalence_p(values: Values, low: float, high: float, seed: int) -> float:
    """Return the larger p-value of two one-sided tests: that a mean is above low, and below high.

    Schuirmann (1987).
    """
    above = sign_flip_p(values, seed, "greater", low) if math.isfinite(low) else 0.0
    below = sign_flip_p(values, seed, "less", high) if math.isfinite(high) else 0.0
    return max(above, below)


def sign_test_p(differences: Values, alternative: Alternative = "two-sided") -> float:
    """Return the p-value of the sign test: that differences are as often above 0 as below.

    Ties, which are 0, are left out (Dixon and Mood, 1946): a pair of censored runs says nothing. A
    difference of which only the sign is known may be infinite.

    Examples
    --------
    >>> sign_test_p(np.array([1.0, 2.0, 0.5, np.inf, 3.0, 0.0]), "greater")
    0.03125
    """
    above, below = int((differences > 0).sum()), int((differences < 0).sum())
    if above + below == 0:
        return 1.0
    return float(stats.binomtest(above, above + below, alternative=alternative).pvalue)


def share_upper(failures: int, number: int, level: float) -> float:
    """Return an upper bound on the share that fails (Clopper and Pearson, 1934).

    Examples
    --------
    >>> round(share_upper(failures=0, number=12, level=0.95), 3)
    0.221
    """
    found = stats.binomtest(failures, number, alternative="less")
    return float(found.proportion_ci(level, method="exact").high)


def kendall_tau(levels: Values, values: Values) -> float:
    """Return Kendall's tau-b of values over levels: 1 where they only grow; 0 if all are the same.

    Examples
    --------
    >>> kendall_tau(np.array([0.0, 0.5, 1.0]), np.array([0.1, 0.4, 0.9]))
    1.0
    """
    if np.ptp(levels) == 0 or np.ptp(values) == 0:
        return 0.0
    return float(stats.kendalltau(levels, values).statistic)


def seeds_needed(claims: int, level: float = 0.05) -> int:
    """Return the fewest seeds with which each claim of a family could be significant.

    The smallest two-sided p-value of n flipped signs is 2 / 2^n, and each of m claims may have
    ``level / m`` of the error.

    Examples
    --------
    >>> [seeds_needed(claims) for claims in (1, 5, 9, 17)]
    [6, 8, 9, 10]
    """
    return math.ceil(math.log2(2 * claims / level))


def power(
    effect: float, deviation: float, n: int, claims: int = 1, level: float = 0.05, seed: int = 0
) -> float:
    """Return how often n seeds would show an effect, two-sided, in a family of claims.

    Simulated with normal values; of more than 14 seeds by Student's test, to which flipping signs
    converges.

    Parameters
    ----------
    effect, deviation
        The mean effect less the margin, and the standard deviation of effects over seeds.

    Examples
    --------
    >>> power(effect=1.0, deviation=1.0, n=5)
    0.0
    >>> power(effect=5.0, deviation=1.0, n=6)
    1.0
    """
    return _power(effect, deviation, n, (0.0,), level / claims, seed)


def seeds_to_settle(values: Values, margins: Sequence[float], claims: int) -> int | None:
    """Return how many seeds, more than there are, would settle a claim: see `seeds_for`.

    None, too, for less than two values, which say nothing of their spread.
    """
    if len(values) < 2:
        return None
    spread = float(values.std(ddof=1))
    return seeds_for(float(values.mean()), spread, margins, claims, fewest=len(values) + 1)


def seeds_for(
    mean: float, deviation: float, margins: Sequence[float], claims: int, fewest: int = 1
) -> int | None:
    """Return how many seeds show with 80 % power on which side of the margins a mean lies.

    Parameters
    ----------
    margins
        One, or the two of an equivalence, which is tested where the mean lies between them.
    claims
        How many claims the family has, at 5 % for all of them.

    Returns
    -------
    seeds
        None for more than 1,000: the mean lies on a margin, as far as can be seen.
    """
    numbers = range(max(seeds_needed(claims), fewest), MOST_SEEDS + 1)
    level = 0.05 / claims
    found = bisect_left(numbers, POWER, key=lambda n: _power(mean, deviation, n, margins, level, 0))
    return numbers[found] if found < len(numbers) else None


def _power(
    mean: float, deviation: float, n: int, margins: Sequence[float], level: float, seed: int
) -> float:
    rng = np.random.default_rng(seed)

    def draw(*, size: tuple[int, ...]) -> Values:
        return rng.normal(mean, deviation, size)

    def p_values(samples: Values, axis: int) -> Values:
        if margins[0] < mean < margins[-1]:
            (above, _), (_, below) = (_one_sided(samples, each) for each in margins)
            return 2 * np.maximum(above, below)  # the interval that decides is two-sided
        nearest = min(margins, key=lambda each: abs(mean - each))
        return 2 * np.minimum(*_one_sided(samples, nearest))

    found = stats.power(p_values, draw, (n,), vectorized=True, n_resamples=SIMULATIONS, batch=100)
    return float((found.pvalues <= level).mean())


def _one_sided(samples: Values, null: float) -> tuple[Values, Values]:
    """Return the p-values of means above and below a null, of samples [sample, seed]."""
    number = samples.shape[1]
    if number <= MOST_FLIPPED:
        subsets, flips = _subsets(number, 0)
        means = samples @ subsets.T
        return (1 + (means <= null).sum(1)) / flips, (1 + (means >= null).sum(1)) / flips
    with np.errstate(divide="ignore", invalid="ignore"):  # of values that are all the same
        t = (samples.mean(1) - null) / (samples.std(1, ddof=1) / math.sqrt(number))
    return stats.t.sf(t, number - 1), stats.t.cdf(t, number - 1)
