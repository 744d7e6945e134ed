"""Intervals and p-values of verdicts: scipy's, with random numbers from a given seed.

Values are effects, one a seed; nothing here knows what they are of.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]

RESAMPLES = 9_999
MOST_SEEDS = 1_000


class Interval(NamedTuple):
    """An interval of an effect."""

    low: float
    high: float


def bootstrap_interval(values: Values, level: float, seed: int) -> Interval:
    """Return the BCa bootstrap interval of a mean (Efron, 1987).

    Values that are all the same have an interval of no width.

    Examples
    --------
    >>> low, high = bootstrap_interval(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), 0.95, seed=0)
    >>> round(low, 1), round(high, 1)
    (2.2, 4.8)
    """
    if np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())):
        return Interval(float(values.mean()), float(values.mean()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            (values,),
            np.mean,
            confidence_level=level,
            n_resamples=RESAMPLES,
            method="BCa",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    if math.isnan(found.low) or math.isnan(found.high):
        # Too few distinct values for the acceleration: Student's interval, the wider of the two.
        half = stats.sem(values) * stats.t.ppf((1 + level) / 2, len(values) - 1)
        return Interval(float(values.mean() - half), float(values.mean() + half))
    return Interval(float(found.low), float(found.high))


def sign_flip_p(
    values: Values, seed: int, alternative: Literal["two-sided", "greater", "less"] = "two-sided"
) -> float:
    """Return the p-value of a mean of 0 by flipping signs: all of them where that can be done.

    Parameters
    ----------
    alternative
        ``two-sided``, ``greater`` or ``less``.

    Examples
    --------
    >>> sign_flip_p(np.ones(6), seed=0, alternative="greater")
    0.015625
    """
    if len(values) > MOST_SEEDS:
        return _many_sign_flips_p(values, seed, alternative)
    found = stats.permutation_test(
        (values,),
        np.mean,
        permutation_type="samples",
        alternative=alternative,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(seed),
        vectorized=True,
    )
    return float(found.pvalue)


def _many_sign_flips_p(values: Values, seed: int, alternative: str) -> float:
    """Return the p-value of random sign flips, as matrix products: scipy is slow for many seeds."""
    rng = np.random.default_rng(seed)
    drawn = np.empty(RESAMPLES)
    for part in np.array_split(drawn, 10):
        signs = 2.0 * rng.integers(0, 2, (len(part), len(values)), dtype=np.int8) - 1
        part[:] = signs @ values / len(values)
    mean = float(values.mean())
    slack = 1e-14 * abs(mean)
    p: dict[str, float] = {
        "less": (int(np.count_nonzero(drawn <= mean + slack)) + 1) / (RESAMPLES + 1),
        "greater": (int(np.count_nonzero(drawn >= mean - slack)) + 1) / (RESAMPLES + 1),
    }
    p["two-sided"] = min(1.0, 2 * min(p.values()))
    return p[alternative]


def equivalence_p(values: Values, low: float, high: float, seed: int) -> float:
    """Return the larger p-value of two one-sided tests: that a mean is above low, and below high.

    Schuirmann (1987).
    """
    above = sign_flip_p(values - low, seed, "greater") if math.isfinite(low) else 0.0
    below = sign_flip_p(values - high, seed, "less") if math.isfinite(high) else 0.0
    return max(above, below)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number (Holm, 1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def seeds_to_settle(values: Values, margins: Sequence[float], fewest: int) -> int | None:
    """Return how many seeds would bring a 95% interval clear of all margins, if things stay so.

    None for more than 1,000: the mean lies on a margin, as far as can be seen.
    """
    gap = min(abs(float(values.mean()) - margin) for margin in margins)
    deviation = float(values.std(ddof=1)) if len(values) > 1 else math.inf
    for number in range(max(fewest, len(values) + 1), MOST_SEEDS + 1):
        if stats.t.ppf(0.975, number - 1) * deviation / math.sqrt(number) < gap:
            return number
    return None


class Survival(NamedTuple):
    """A Kaplan-Meier curve: the share not yet fitted after each time, with its 95% interval."""

    time: Values
    share: Values
    low: Values
    high: Values


def kaplan_meier(times: Values, fitted: NDArray[np.bool_]) -> Survival:
    """Return the share of runs that have not fitted by each epoch.

    Parameters
    ----------
    times
        Epochs to fit, or trained without fitting.
    fitted
        Which of them fitted; the others are censored.

    Examples
    --------
    >>> curve = kaplan_meier(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]))
    >>> curve.share.round(2).tolist()
    [1.0, 0.67, 0.67, 0.0]
    """
    data = stats.CensoredData(uncensored=times[fitted], right=times[~fitted])
    curve = stats.ecdf(data).sf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        interval: Any = curve.confidence_interval(method="log-log")
    at = curve.quantiles
    columns = (curve.probabilities, interval.low.probabilities, interval.high.probabilities)
    share, low, high = (np.concatenate([[1.0], column]) for column in columns)
    low, high = np.where(np.isnan(low), share, low), np.where(np.isnan(high), share, high)
    return Survival(np.concatenate([[0.0], at]), share, low, high)
