"""The two values of each seed that a claim compares, and the effect of each such pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from reports.claims import Claim
from reports.grouping import facts_of
from reports.metrics import At, at_in_words, check_metric, larger_is_better
from reports.read import Records
from reports.scope import Recorded, Setting, Side
from study.base.errors import BadInput, unknown_key
from study.base.names import Kind, is_path
from study.runs.run import Run, fact_keys
from study.terminal.arms import arm_label

COLUMNS = ["seed", "a", "b", "effect", "stands_in"]


@dataclass(frozen=True)
class Pairs:
    """What a claim compares in one setting.

    Attributes
    ----------
    table
        A row a seed: ``a``, ``b`` (of a trend: at the first and at the last level), ``effect`` on
        the scale on which it is tested, and which sides' values ``stand_in`` for a run that
        diverged or did not fit: ``""``, ``"a"``, ``"b"`` or ``"ab"``.
    runs
        The ids by side and seed, a row a seed.
    left_out
        What does not enter, and why, a line each.
    chosen
        Of ``best_of``, which value each side had, in words.
    """

    table: pd.DataFrame
    runs: pd.DataFrame
    left_out: list[str] = field(default_factory=list)
    chosen: str = ""


def check(claim: Claim, records: Records) -> None:
    """Refuse a claim about a fact or a metric that no run can have.

    Raises
    ------
    BadInput
        An unknown fact or metric; the message has the nearest name.
    """
    check_metric(records.history, claim.metric)
    own = is_path(claim.metric) and claim.by is None
    if own and "best" in (claim.at, claim.against, claim.less):
        raise BadInput("at", "largest or smallest, for a metric of your own", "best")
    if claim.by is not None:
        check_metric(records.history, claim.by, "by")
    for key, epoch in (("at", claim.at), ("less", claim.less)):
        if isinstance(epoch, Mapping):
            check_metric(records.history, epoch["metric"], f"{key}.metric")
    for key in ("against", "less"):
        if getattr(claim, key) == claim.at:
            raise BadInput(key, "another epoch than at: no run is compared with itself", claim.at)
    _check_facts(claim, records)


def _check_facts(claim: Claim, records: Records) -> None:
    known = {*fact_keys(), *facts_of(records)}
    unread = _has_optimizer_without_runs(claim, records)
    for side in ("where", "a", "b", "over"):
        for key, given in (getattr(claim, side) or {}).items():
            if key not in known and not (unread and key.startswith("optimizer.")):
                raise unknown_key(key, sorted(known)).under(side)
            for kind in (k for k in metadata_of(key) if isinstance(k, Kind)):
                for value in given if isinstance(given, list) else [given]:
                    kind.check(value, f"{side}.{key}")
            if key == "seed":
                raise BadInput(f"{side}.seed", "other facts: runs are paired by their seed")


def metadata_of(key: str) -> list[Any]:
    """Return what a fact's declaration says beside its type; nothing of an optimizer's own."""
    field = Run.declared().get(key)
    return field.metadata if field is not None else []


def _has_optimizer_without_runs(claim: Claim, records: Records) -> bool:
    """Tell whether a claim names an optimizer whose arguments neither defaults nor records say."""
    key = "optimizer.class_path"
    sides = (claim.where, claim.a, claim.b or {})
    named = {str(side[key]) for side in sides if key in side}
    return bool(named - {Run().optimizer.class_path, *records.runs[key]})


def pairs(claim: Claim, sides: Sequence[Side], setting: Setting, records: Records) -> Pairs:
    """Return what a claim compares in a setting; no row where a side has no runs there."""
    arms, missing = _arms(claim, sides, setting, records)
    if missing:
        return Pairs(pd.DataFrame(columns=COLUMNS), pd.DataFrame(), missing)
    runs = pd.DataFrame({name: pd.Series(arm.ids) for name, arm in arms.items()}).sort_index()
    runs.index.name = "seed"
    left_out = _unpaired(runs)
    runs = runs.dropna()
    table = _effects(claim, runs, records)
    without = table[table["effect"].isna() & (table["stands_in"] == "")]
    if len(without):
        seeds = ", ".join(map(str, without["seed"]))
        left_out.append(f"seeds {seeds}: no {claim.metric} at {at_in_words(claim.at)}")
        table = table.drop(without.index)
    chosen = ""
    if claim.best_of is not None:
        key = claim.best_of
        tried = {side.name: [each[key] for each in side.arms] for side in sides}
        best = (
            f"{name} at {arm_label({key: arm.facts[key]})}{_edge(arm.facts[key], tried[name])}"
            for name, arm in arms.items()
        )
        chosen = f"chosen by {claim.by}: {', '.join(best)}"
    kept = runs.loc[table["seed"]]
    return Pairs(table.reset_index(drop=True), kept, left_out, chosen)


def _edge(value: Any, tried: Sequence[Any]) -> str:
    """Return that a value lies at an end of those tried, so that a better one may lie beyond."""
    if not all(isinstance(each, (int, float)) for each in tried):
        return ""
    ends = {min(tried): " (the smallest tried)", max(tried): " (the largest tried)"}
    return ends.get(value, "")


def _unpaired(runs: pd.DataFrame) -> list[str]:
    lines = []
    for name in runs:
        seeds = ", ".join(map(str, runs.index[runs[name].isna()]))
        if seeds:
            lines.append(f"seeds {seeds}: no run of {name}")
    return lines


def _arms(
    claim: Claim, sides: Sequence[Side], setting: Setting, records: Records
) -> tuple[dict[str, Recorded], list[str]]:
    """Return each side's arm, its best where the claim says so, or what is missing."""
    found: dict[str, Recorded] = {}
    missing = []
    for side in sides:
        arms = setting.sides.get(side.name, [])
        if claim.best_of is not None:
            have = [arm.facts[claim.best_of] for arm in arms]
            lack = [v for v in (each[claim.best_of] for each in side.arms) if v not in have]
            if lack:
                values = ", ".join(arm_label({claim.best_of: value}) for value in lack)
                missing.append(f"{side.name}: no run at {values}")
            if arms and not lack:
                found[side.name] = _best(claim, arms, records)
        elif arms:
            found[side.name] = arms[0]
        else:
            missing.append(f"{side.name}: no run at {arm_label(side.given)}")
    return found, missing


def _best(claim: Claim, arms: Sequence[Recorded], records: Records) -> Recorded:
    """Return the arm with the best mean over seeds of what chooses, over the seeds that all have.

    A run that diverged or did not fit counts with the worst value.
    """
    by = str(claim.by)
    measured = records.measured(by, claim.at, by)["value"]
    seeds = sorted(set.intersection(*(set(arm.ids) for arm in arms)))
    means = [measured.loc[[arm.ids[seed] for seed in seeds]].mean(skipna=False) for arm in arms]
    sign = 1 if larger_is_better(by) else -1
    scores = [-np.inf if np.isnan(mean) else sign * mean for mean in means]
    return arms[int(np.argmax(scores))]


def _effects(claim: Claim, runs: pd.DataFrame, records: Records) -> pd.DataFrame:
    """Return the table of `Pairs`."""

    def column(name: str, at: At) -> tuple[Any, Any]:
        chosen = records.measured(claim.metric, at, claim.by)
        found = chosen.loc[runs[name]]
        value, stands_in = found["value"].to_numpy(), found["stands_in"].to_numpy()
        if claim.less is None:
            return value, stands_in
        less = records.measured(claim.metric, claim.less, claim.by)
        less = less.loc[runs[name]]
        return value - less["value"].to_numpy(), stands_in | less["stands_in"].to_numpy()

    names = [str(name) for name in runs]
    columns = [column(name, claim.at) for name in names]
    a, a_stands_in = columns[0]
    b, b_stands_in = np.full(len(runs), np.nan), np.zeros(len(runs), bool)
    if claim.over is not None:
        levels = np.array(next(iter(claim.over.values())), dtype=float)
        effect = claim.statistic.of(np.stack([value for value, _ in columns], axis=1), levels)
        b = columns[-1][0]
        a_stands_in = np.any([stands_in for _, stands_in in columns], axis=0)
    else:
        if isinstance(claim.against, str):
            b, b_stands_in = column(names[0], claim.against)
        elif claim.b is None:
            b = np.full(len(runs), claim.against, dtype=float)
        else:
            b, b_stands_in = columns[1]
        effect = claim.statistic.of(a, b)
    stands_in = [
        "a" * bool(one) + "b" * bool(other)
        for one, other in zip(a_stands_in, b_stands_in, strict=True)
    ]
    return pd.DataFrame(
        {"seed": runs.index, "a": a, "b": b, "effect": effect, "stands_in": stands_in}
    )
