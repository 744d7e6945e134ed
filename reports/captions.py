"""Captions: what a figure shows, what its bands are, how many seeds, which network and data."""

from __future__ import annotations

from typing import Any

import pandas as pd

from reports.figures import Figure
from reports.read import Records
from study.base.text import counted

SETTING = {
    "data.dataset": "data {}",
    "model.hidden": "hidden layers {}",
    "data.batch_size": "batches of {}",
    "optimizer.class_path": "{}",
    "optimizer.lr": "learning rate {}",
}


def caption_of(figure: Figure, table: pd.DataFrame, records: Records) -> str:
    """Return a figure's caption: full sentences, without line breaks."""
    parts = [figure.caption(table)]
    if figure.band:
        parts.append(f"{figure.band}.")
    if not figure.of_verdicts and not table.empty:
        runs = _runs_of(table, records)
        parts.append(f"{arms_of(runs, records)}; {setting(runs)}.")
    return " ".join(" ".join(part.split()) for part in parts)


def _runs_of(table: pd.DataFrame, records: Records) -> pd.DataFrame:
    """Return the runs that a figure draws: those in its table, or in the table's attributes."""
    runs = records.runs
    drawn = table["run"] if "run" in table else table.attrs.get("runs", runs["run"])
    return runs[runs["run"].isin(drawn)]


def arms_of(runs: pd.DataFrame, records: Records) -> str:
    """Return which studies' arms are drawn: all of them, or how many."""
    studies = [str(study) for study in runs["study"].unique()]
    theirs = records.runs[records.runs["study"].isin(studies)]
    drawn, there = (len(each[["study", "arm"]].drop_duplicates()) for each in (runs, theirs))
    many = counted(there, "arm")
    return f"Of {', '.join(studies)}: {'' if drawn == there else f'{drawn} of '}{many}"


def setting(runs: pd.DataFrame) -> str:
    """Return how many runs and seeds there are, and the network and data that all of them share."""
    seeds = runs.groupby(["study", "arm"])["seed"].nunique()
    low, high = int(seeds.min()), int(seeds.max())
    number = f"{low}" if low == high else f"{low} to {high}"
    words = [f"{counted(len(runs), 'run')}, {number} {'seed' if high == 1 else 'seeds'} an arm"]
    for key, text in SETTING.items():
        values: list[Any] = list(runs[key].dropna().unique()) if key in runs else []
        if len(values) == 1:
            words.append(text.format(values[0]))
        elif values:
            words.append(text.format("varied"))
    return "; ".join(words)
