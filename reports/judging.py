"""Whether effects show a claim: by an interval, by signs, or by a share; each at one level."""

from __future__ import annotations

import math
import zlib
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from reports.claims import Claim
from reports.metrics import larger_is_better
from reports.statistics import (
    Interval,
    Values,
    equivalence_p,
    share_upper,
    sign_flip_interval,
    sign_flip_p,
    sign_test_p,
    student_interval,
)

ERROR = 0.05  # of a family of claims
NOT_MEASURED = Interval(math.nan, math.nan)


class Judged(NamedTuple):
    """What effects say of a claim: whether it ``holds``, whether it ``fails``, and a p-value."""

    holds: bool
    fails: bool
    p: float
    interval: Interval = NOT_MEASURED
    unadjusted: Interval = NOT_MEASURED
    student: Interval = NOT_MEASURED


def judged(claim: Claim, table: pd.DataFrame, level: float) -> Judged:
    """Return what a table of pairs says of a claim; the interval at ``level`` decides.

    Where a value stands in for a run that diverged or did not fit, an interval would be of the
    value that stands in: signs decide.
    """
    if claim.statistic.of_runs:
        return by_share(claim, table, level)
    if (table["stands_in"] != "").any():
        return by_signs(claim, table, level)
    effects = table["effect"].to_numpy(dtype=float)
    seed = zlib.crc32(claim.id.encode())
    interval = sign_flip_interval(effects, level, seed)
    return Judged(
        *sides(claim, interval),
        _flip_p(claim, effects, seed),
        interval,
        sign_flip_interval(effects, 1 - ERROR, seed),
        student_interval(effects, 1 - ERROR),
    )


def sides(claim: Claim, interval: Interval) -> tuple[bool, bool]:
    """Return whether an interval lies where it was claimed to, and whether it lies elsewhere."""
    low, high = interval
    least, most = claim.margins[0], claim.margins[-1]
    match claim.asked:
        case "above":
            return low > least, high < least
        case "below":
            return high < least, low > least
        case "other_than":
            return low > least or high < least, False
    return least < low and high < most, high < least or low > most


def _flip_p(claim: Claim, effects: Values, seed: int) -> float:
    """Return the p-value that is at most 1 - level exactly where the interval decides."""
    low, high = claim.margins[0], claim.margins[-1]
    mean = float(effects.mean())
    if low < mean < high:
        return min(1.0, 2 * equivalence_p(effects, low, high, seed))
    return sign_flip_p(effects, seed, null=low if mean <= low else high)


def by_signs(claim: Claim, table: pd.DataFrame, level: float) -> Judged:
    """Judge by how many effects lie on either side of the margin (the sign test).

    A pair of which both values stand in is a tie. One value that stands in counts against the
    claim or, where it would support it, not at all: divergence and failure to fit help no claim.
    Where the effect might lie beyond the margin, because all that is known is a bound on this side
    of it, the pair counts against the claim: those left out would be the longest times.
    """
    effects = np.nan_to_num(table["effect"].to_numpy(dtype=float))
    unknown = table["effect"].isna() | (table["stands_in"] == "ab")
    stands_in = (table["stands_in"] != "").to_numpy()
    low, high = claim.margins[0], claim.margins[-1]
    above, below = effects - low, high - effects
    ahead = {"above": [(above, 1)], "below": [(below, -1)]}.get(
        claim.asked, [(above, 1), (below, -1)]
    )
    signs = [(np.where(unknown, 0.0, np.sign(each)), way) for each, way in ahead]
    beyond = _beyond(claim, table)
    for_it, against = [], 1.0
    for each, way in signs:
        not_known = np.where(beyond == -way, -1.0, 0.0)
        for_it.append(_majority_p(np.where(stands_in & (each > 0), not_known, each)))
        perhaps = stands_in & (each < 0) & (beyond == way)  # on the claim's side after all
        against = min(against, _majority_p(np.where(perhaps, 0.0, -each)))
    if claim.asked == "other_than":
        return Judged(min(for_it) <= 1 - level, False, min(for_it))
    holds, fails = max(for_it) <= 1 - level, against <= 1 - level
    return Judged(holds, fails, min(max(for_it), against))


def _beyond(claim: Claim, table: pd.DataFrame) -> Values:
    """Return which way the effect may lie beyond what a value that stands in gives, up or down.

    The worst accuracy is the smallest value, the worst of all else the largest. 0 where a trend has
    such a value, whose way is not known.
    """
    if claim.statistic.of_levels:
        return np.zeros(len(table))
    up = -1.0 if larger_is_better(claim.metric) else 1.0
    ways = {"a": up, "b": -up}
    return np.array([ways.get(each, 0.0) for each in table["stands_in"]])


def _majority_p(signs: Values) -> float:
    """Return the two-sided p-value of the sign test where most are positive, and else 1."""
    return sign_test_p(signs) if signs.sum() > 0 else 1.0


def by_share(claim: Claim, table: pd.DataFrame, level: float) -> Judged:
    """Judge a claim that all runs reach a value (``above``) or that none does (``below``).

    It holds if that is so of every run and the bound on the share of others, at ``level``, is
    beyond the margin. A run that diverged or did not fit counts against the claim or not at all.
    """
    above = claim.asked == "above"
    does = (table["effect"] == 1) if above else (table["effect"] == 0)
    does = does[~(does & (table["stands_in"] != ""))]
    number, others = len(does), int((~does).sum())
    if not number:
        return Judged(False, False, 1.0)
    margin = 1 - claim.margins[0] if above else claim.margins[0]
    bound = share_upper(others, number, level)
    fewer, more = (
        float(stats.binomtest(others, number, margin, alternative=side).pvalue)
        for side in ("less", "greater")
    )
    interval = Interval(1 - bound, 1.0) if above else Interval(0.0, bound)
    holds = others == 0 and bound < margin
    return Judged(holds, more <= 1 - level, min(fewer, more), interval)
