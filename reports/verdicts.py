"""Verdicts: what the records say of a claim, with its interval."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd
from scipy import stats

from reports.claims import Claim
from reports.pairing import check, pairs
from reports.read import Records
from reports.statistics import (
    Interval,
    Values,
    equivalence_p,
    holm,
    seeds_to_settle,
    sign_flip_interval,
    sign_flip_p,
)

SUPPORTED, REFUTED, INCONCLUSIVE, NOT_RUN = "supported", "refuted", "inconclusive", "not run"
NOT_MEASURED = Interval(math.nan, math.nan)
FEWEST_PAIRS = 6
LEVEL = 0.05


@dataclass(frozen=True)
class Verdict:
    """What the records say of a claim.

    Attributes
    ----------
    claim
        The claim.
    verdict
        ``supported``, ``refuted``, ``inconclusive`` or ``not run``.
    why
        What an undecided verdict needs: more seeds, or a command.
    pairs
        One row a seed: ``a``, ``b`` (empty where there is none) and ``effect``.
    mean
        The mean effect; for a share, the share of runs.
    interval
        Its 95% interval, and ``narrow`` the 90% one that equivalence is judged by.
    p, p_adjusted
        The p-value for the side of the margin on which the mean effect lies, and the same adjusted
        for the whole ledger (Holm). For a mean within two bounds: of two one-sided tests.
    diverged
        How many runs of either side diverged; they count with the worst value there is.
    censored
        How many had not fitted when their training ended.
    """

    claim: Claim
    verdict: str
    why: str = ""
    pairs: pd.DataFrame | None = None
    mean: float = math.nan
    interval: Interval = NOT_MEASURED
    narrow: Interval = NOT_MEASURED
    p: float = math.nan
    p_adjusted: float = math.nan
    diverged: int = 0
    censored: int = 0

    @property
    def n(self) -> int:
        """How many seeds."""
        return 0 if self.pairs is None else len(self.pairs)


def judge_all(claims: Sequence[Claim], records: Records) -> list[Verdict]:
    """Return a verdict on each claim, p-values adjusted for all that could be tested.

    Raises
    ------
    BadInput
        A claim about a fact or a metric that no run can have.
    """
    for claim in claims:
        check(claim, records)
    measured = [measure(claim, records) for claim in claims]
    tested = [index for index, each in enumerate(measured) if not math.isnan(each.p)]
    adjusted = holm([measured[index].p for index in tested])
    for index, p in zip(tested, adjusted, strict=True):
        measured[index] = _decided(replace(measured[index], p_adjusted=p))
    return measured


def measure(claim: Claim, records: Records) -> Verdict:
    """Return a claim's effect and its interval, undecided where it can be decided."""
    ids, found = pairs(claim, records)
    if found.empty:
        command = f"python -m study.fit --config {claim.config}" if claim.config else "its runs"
        return Verdict(claim, NOT_RUN, f"train: {command}")
    chosen = records.runs[records.runs["run"].isin(ids)]
    verdict = Verdict(
        claim,
        INCONCLUSIVE,
        pairs=found,
        diverged=int((chosen["status"] == "diverged").sum()),
        censored=int(chosen["epochs_to_fit"].isna().sum()) if _about_fit(claim) else 0,
    )
    effects = found["effect"].to_numpy(dtype=float)
    if len(found) < FEWEST_PAIRS:
        why = f"{len(found)} seeds: no verdict from fewer than {FEWEST_PAIRS}"
        return replace(verdict, mean=float(effects.mean()), why=why)
    if claim.statistic.of_runs:
        test = stats.binomtest(int(effects.sum()), len(effects), claim.margins[0])
        both = [test.proportion_ci(level, method="wilson") for level in (0.95, 0.9)]
        wide, narrow = (Interval(float(ci.low), float(ci.high)) for ci in both)
        p = float(test.pvalue)
    else:
        seed = zlib.crc32(claim.id.encode())
        wide, narrow = (sign_flip_interval(effects, level, seed) for level in (0.95, 0.9))
        p = _p(claim, effects, seed)
    return replace(verdict, mean=float(effects.mean()), interval=wide, narrow=narrow, p=p)


def _about_fit(claim: Claim) -> bool:
    return claim.metric == "epochs_to_fit" or "fit" in (claim.at, claim.against)


def _p(claim: Claim, effects: Values, seed: int) -> float:
    """Return the p-value for the side of the margin on which the mean effect lies."""
    if claim.asked != "within":
        return sign_flip_p(effects - claim.margins[0], seed)
    low, high = claim.margins
    if low < effects.mean() < high:
        return equivalence_p(effects, low, high, seed)
    return sign_flip_p(effects - (low if effects.mean() <= low else high), seed)


def _decided(found: Verdict) -> Verdict:
    """Return the verdict: an interval on one side, and a p-value that survives the ledger."""
    claim = found.claim
    holds, fails = _sides(found)
    if claim.asked == "within" and found.censored and holds:
        return replace(found, why=f"{found.censored} runs did not fit: train them longer")
    if (holds or fails) and found.p_adjusted < LEVEL:
        return replace(found, verdict=SUPPORTED if holds else REFUTED)
    assert found.pairs is not None
    effects = found.pairs["effect"].to_numpy(dtype=float)
    number = seeds_to_settle(effects, claim.margins, 1)
    more = "over 1,000 seeds" if number is None else f"{number - found.n} more seeds"
    return replace(found, why=f"{more} would settle it, should things stay as they are")


def _sides(found: Verdict) -> tuple[bool, bool]:
    """Return whether the interval lies where it was claimed to, and whether it lies elsewhere."""
    low, high = found.interval
    least, most = found.claim.margins[0], found.claim.margins[-1]
    match found.claim.asked:
        case "above":
            return low > least, high < least
        case "below":
            return high < least, low > least
        case "other_than":
            return low > least or high < least, False
    inside = least < found.narrow.low and found.narrow.high < most
    return inside, high < least or low > most
