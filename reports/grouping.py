"""Which facts runs have, and which runs differ in some of them alone."""

from __future__ import annotations

import pandas as pd

from reports.read import Records
from study.runs.run import fact_keys


def alike(records: Records, runs: pd.DataFrame, *varied: str, by: str = "") -> list[pd.DataFrame]:
    """Return the groups of runs that differ in their seed and in some facts alone.

    Parameters
    ----------
    varied
        Those facts.
    by
        A column, such as ``study``, in which the runs of a group agree, too.
    """
    keys = [key for key in facts_of(records) if key not in ("seed", *varied)]
    grouped = runs.groupby([*keys, by] if by else keys, sort=False, dropna=False)
    return [group for _, group in grouped]


def facts_of(records: Records) -> list[str]:
    """Return the columns of ``runs`` that are facts."""
    return [name for name in records.runs.columns if name in fact_keys() or "." in name]
