"""Verdicts: what the records say of a claim, with its interval."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from reports.claims import Claim
from reports.read import Records, facts_of
from reports.statistics import (
    Interval,
    bootstrap_interval,
    equivalence_p,
    holm,
    seeds_to_settle,
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
        The mean effect; for a fraction, the share of runs.
    interval
        Its 95% interval, and ``narrow`` the 90% one that equivalence is judged by.
    p, p_adjusted
        That the effects lean to their side of the margin by chance, and adjusted for the whole
        ledger (Holm). Of effects within the bounds of an equivalence: of two one-sided tests.
    diverged
        How many runs of either arm diverged; they count with the worst value there is.
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
    """Return a verdict on each claim, p-values adjusted for all that could be tested."""
    measured = [measure(claim, records) for claim in claims]
    tested = [index for index, each in enumerate(measured) if not math.isnan(each.p)]
    adjusted = holm([measured[index].p for index in tested])
    for index, p in zip(tested, adjusted, strict=True):
        measured[index] = _decided(replace(measured[index], p_adjusted=p))
    return measured


def measure(claim: Claim, records: Records) -> Verdict:
    """Return a claim's effect and its interval, undecided where it can be decided."""
    ids, pairs = _pairs(claim, records)
    if pairs.empty:
        command = f"python -m study.fit --config {claim.config}" if claim.config else "its runs"
        return Verdict(claim, NOT_RUN, f"train: {command}")
    chosen = records.runs[records.runs["run"].isin(ids)]
    verdict = Verdict(
        claim,
        INCONCLUSIVE,
        pairs=pairs,
        diverged=int((chosen["status"] == "diverged").sum()),
        censored=int(chosen["epochs_to_fit"].isna().sum()) if _about_fit(claim) else 0,
    )
    effects = pairs["effect"].to_numpy(dtype=float)
    if len(pairs) < FEWEST_PAIRS:
        why = f"{len(pairs)} seeds: no verdict from fewer than {FEWEST_PAIRS}"
        return replace(verdict, mean=float(effects.mean()), why=why)
    if claim.kind == "fraction":
        test = stats.binomtest(int(effects.sum()), len(effects), claim.margin)
        both = [test.proportion_ci(level, method="wilson") for level in (0.95, 0.9)]
        wide, narrow = (Interval(float(ci.low), float(ci.high)) for ci in both)
        p = float(test.pvalue)
    else:
        seed = zlib.crc32(claim.id.encode())
        wide, narrow = (bootstrap_interval(effects, level, seed) for level in (0.95, 0.9))
        p = _p(claim, effects, seed)
    return replace(verdict, mean=float(effects.mean()), interval=wide, narrow=narrow, p=p)


def _about_fit(claim: Claim) -> bool:
    return claim.metric == "epochs_to_fit" or "fit" in (claim.at, claim.against)


def _p(claim: Claim, effects: Any, seed: int) -> float:
    """Return the p-value of what the effects lean to: what was claimed, or its contrary."""
    if claim.within is None:
        return sign_flip_p(effects - claim.margin, seed)
    low, high = claim.within
    if low < effects.mean() < high:
        return equivalence_p(effects, low, high, seed)
    return sign_flip_p(effects - (low if effects.mean() <= low else high), seed)


def _decided(found: Verdict) -> Verdict:
    """Return the verdict: an interval on one side, and a p-value that survives the ledger."""
    claim, (low, high) = found.claim, found.interval
    sure = found.p_adjusted < LEVEL
    if claim.within is not None:
        holds = claim.within[0] < found.narrow.low and found.narrow.high < claim.within[1]
        fails = high < claim.within[0] or low > claim.within[1]
        margins = [bound for bound in claim.within if math.isfinite(bound)]
        if found.censored and holds:
            return replace(found, why=f"{found.censored} runs did not fit: train them longer")
    elif claim.kind == "differs":
        holds, fails, margins = low > 0 or high < 0, False, [0.0]
    elif claim.kind == "less":
        holds, fails, margins = high < claim.margin, low > claim.margin, [claim.margin]
    else:
        holds, fails, margins = low > claim.margin, high < claim.margin, [claim.margin]
    if (holds or fails) and sure:
        return replace(found, verdict=SUPPORTED if holds else REFUTED)
    assert found.pairs is not None
    effects = found.pairs["effect"].to_numpy(dtype=float)
    number = seeds_to_settle(effects, margins, FEWEST_PAIRS)
    more = "over 1,000 seeds" if number is None else f"{number - found.n} more seeds"
    return replace(found, why=f"{more} would settle it, should things stay as they are")


def _pairs(claim: Claim, records: Records) -> tuple[set[str], pd.DataFrame]:
    """Return the runs a claim is about, and one row a seed: a, b and the effect."""
    values = records.values(claim.metric, claim.at)
    if claim.metric == "epochs_to_fit":
        # At least as long as it was trained: verdicts say how many of these there are.
        values = values.fillna(records.runs.set_index("run")["epochs"])
    left = records.having({**claim.where, **claim.a}).assign(a=lambda t: t["run"].map(values))
    if claim.b is not None:
        right = records.having({**claim.where, **claim.b}).assign(b=lambda t: t["run"].map(values))
        set_by_arms = {*claim.a, *claim.b}
        if any(key.startswith("optimizer.") for key in set_by_arms):
            # Another class has other arguments, so none of them can be what pairs are matched by.
            set_by_arms |= {name for name in facts_of(records) if name.startswith("optimizer.")}
        on = [name for name in facts_of(records) if name not in set_by_arms]
        both = left[[*on, "run", "a"]].merge(right[[*on, "run", "b"]], on=on)
        ids = {*both.get("run_x", ()), *both.get("run_y", ())}
    elif isinstance(claim.against, str):
        others = records.values(claim.metric, claim.against)
        both = left.assign(b=lambda t: t["run"].map(others))
        ids = set(both["run"])
    else:
        both = left.assign(b=claim.against)
        ids = set(both["run"])
    both = both.dropna(subset=["a", "b"])
    if both.empty:
        return set(), pd.DataFrame()
    if claim.kind == "fraction":
        both = both.assign(effect=(both["a"] >= both["b"]).astype(float))
        return ids, both[["seed", "run", "a", "b", "effect"]].reset_index(drop=True)
    if claim.effect == "log_ratio":
        both = both[(both["a"] > 0) & (both["b"] > 0)]
        both = both.assign(effect=np.log(both["a"].to_numpy() / both["b"].to_numpy()))
    else:
        both = both.assign(effect=both["a"] - both["b"])
    # The seed is what is drawn at random: several pairs of one seed count once.
    return ids, both.groupby("seed")[["a", "b", "effect"]].mean().reset_index()
