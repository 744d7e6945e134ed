"""Which runs a claim is about, and which of its two sides are compared with each other."""

from __future__ import annotations

from typing import Any

import pandas as pd

from reports.claims import Claim
from reports.read import Records, facts_of
from study.base.errors import BadInput, unknown_key
from study.base.names import Kind, is_path
from study.runs.run import Run, fact_keys


def check(claim: Claim, records: Records) -> None:
    """Refuse a claim about a fact or a metric that no run can have.

    Raises
    ------
    BadInput
        An unknown fact or metric; the message has the nearest name.
    """
    try:
        records.check_metric(claim.metric)
        if is_path(claim.metric) and "best" in (claim.at, claim.against):
            raise BadInput("at", "largest or smallest, for a metric of your own", "best")
        known = {*fact_keys(), *facts_of(records)}
        unread = _has_optimizer_without_runs(claim, records)
        for side in ("where", "a", "b"):
            for key in getattr(claim, side) or {}:
                if key not in known and not (unread and key.startswith("optimizer.")):
                    raise unknown_key(key, sorted(known)).under(side)
                for kind in (k for k in metadata_of(key) if isinstance(k, Kind)):
                    for value in _values(getattr(claim, side)[key]):
                        kind.check(value, f"{side}.{key}")
                if key == "seed" and side != "where" and claim.b is not None:
                    raise BadInput(f"{side}.seed", "other facts: runs are paired by their seed")
    except BadInput as fault:
        raise fault.under(f"claim {claim.id}") from None


def metadata_of(key: str) -> list[Any]:
    """Return what a fact's declaration says beside its type; nothing of an optimizer's own."""
    field = Run.declared().get(key)
    return field.metadata if field is not None else []


def _values(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _has_optimizer_without_runs(claim: Claim, records: Records) -> bool:
    """Tell whether a claim names an optimizer whose arguments neither defaults nor records say."""
    key = "optimizer.class_path"
    sides = (claim.where, claim.a, claim.b or {})
    named = {str(side[key]) for side in sides if key in side}
    return bool(named - {Run().optimizer.class_path, *records.runs[key]})


def pairs(claim: Claim, records: Records) -> tuple[set[str], pd.DataFrame]:
    """Return the ids of the runs that a claim compares, and one row a pair.

    Returns
    -------
    ids
        Ids of runs.
    pairs
        ``seed``, ``a``, ``b`` and ``effect``, on the scale on which it is tested; a row a seed,
        or a row a run for effects of single runs.
    """
    both = _both_sides(claim, records)
    ids = {*both.get("run", ()), *both.get("run_x", ()), *both.get("run_y", ())}
    both = both.dropna(subset=["a", "b"])
    if both.empty:
        return set(), pd.DataFrame()
    values = (both[side].to_numpy(dtype=float) for side in ("a", "b"))
    columns = ["seed", "a", "b", "effect"]
    found = both.assign(effect=claim.statistic.of(*values))[columns].dropna(subset=["effect"])
    if claim.statistic.of_runs:
        return ids, found.reset_index(drop=True)
    # The seed is what is drawn at random: several pairs of one seed count once.
    return ids, found.groupby("seed")[["a", "b", "effect"]].mean().reset_index()


def _both_sides(claim: Claim, records: Records) -> pd.DataFrame:
    """Return the values of the two sides beside each other, as columns ``a`` and ``b``."""
    values = records.values(claim.metric, claim.at)
    if claim.metric == "epochs_to_fit":
        # At least as long as it was trained: verdicts say how many of these there are.
        values = values.fillna(records.runs.set_index("run")["epochs"])
    left = records.having({**claim.where, **claim.a}).assign(a=lambda t: t["run"].map(values))
    if isinstance(claim.against, str):
        others = records.values(claim.metric, claim.against)
        return left.assign(b=left["run"].map(others))
    if claim.b is None:
        return left.assign(b=claim.against)
    right = records.having({**claim.where, **claim.b}).assign(b=lambda t: t["run"].map(values))
    set_by_sides = {*claim.a, *claim.b}
    if any(key.startswith("optimizer.") for key in set_by_sides):
        # Optimizer classes take different arguments, so pairs cannot be matched on them.
        set_by_sides |= {name for name in facts_of(records) if name.startswith("optimizer.")}
    on = [name for name in facts_of(records) if name not in set_by_sides]
    return left[[*on, "run", "a"]].merge(right[[*on, "run", "b"]], on=on)
