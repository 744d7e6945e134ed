"""Captions: what a figure shows, what its bands are, how many seeds, which network and data."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from reports.figures import Figure
from reports.read import Records, parsed
from study.base.text import counted
from study.terminal.arms import arm_label

MOST_VALUES = 4  # of a setting, which a caption lists
SETTING = {
    "data.dataset": "data {}",
    "model.hidden": "hidden layers {}",
    "data.train_examples": "{} training examples",
    "data.batch_size": "batches of {}",
    "optimizer.class_path": "{}",
    "optimizer.lr": "learning rate {}",
}


def caption_of(figure: Figure, table: pd.DataFrame, records: Records) -> str:
    """Return a figure's caption: full sentences, without line breaks."""
    parts = [figure.caption(table)]
    if figure.band:
        parts.append(f"{figure.band}.")
    if not table.empty:
        runs = runs_of(table, records)
        which = "the arms that the verdicts compare" if figure.of_verdicts else ""
        parts.append(f"{arms_of(runs, records, which)}. {setting(runs)}.")
    return " ".join(" ".join(part.split()) for part in parts)


def runs_of(table: pd.DataFrame, records: Records) -> pd.DataFrame:
    """Return the runs that a figure draws: those in its table, or in the table's attributes."""
    runs = records.runs
    drawn = table["run"] if "run" in table else table.attrs.get("runs", runs["run"])
    return runs[runs["run"].isin(drawn)]


def arms_of(runs: pd.DataFrame, records: Records, which: str = "") -> str:
    """Return which studies' arms are drawn: all of them, or how many and which."""
    studies = [str(study) for study in runs["study"].unique()]
    theirs = records.runs[records.runs["study"].isin(studies)]
    drawn, there = (each.drop_duplicates(["study", "arm"]) for each in (runs, theirs))
    number = counted(len(there), "arm")
    if len(drawn) < len(there):
        which = which or _which(drawn, there, records)
        number = f"{len(drawn)} of {number}, {which}"
    return f"Of {', '.join(studies)}: {number}"


def _which(drawn: pd.DataFrame, there: pd.DataFrame, records: Records) -> str:
    """Return which arms are drawn: by the facts that they alone share, or by their names."""
    varied = [key for study in drawn["study"].unique() for key in records.varied.get(study, [])]
    shared = {
        key: parsed(drawn[key].iloc[0])
        for key in dict.fromkeys(varied)
        if key in drawn and len(drawn[key].drop_duplicates()) == 1
    }
    if shared and len(replace(records, runs=there).having(shared)) == len(drawn):
        return f"those with {arm_label(shared)}"
    # Not by row: of an arm, a figure may draw another run than its first.
    keys = ["study", "arm"]
    others = there[~there.set_index(keys).index.isin(drawn.set_index(keys).index)]
    named = others if len(others) < len(drawn) else drawn
    several = len(drawn["study"].unique()) > 1
    words = named["study"] + ": " + named["arm"] if several else named["arm"]
    return f"{'all but' if named is others else 'which are'} ({'; '.join(words)})"


def setting(runs: pd.DataFrame) -> str:
    """Return how many runs and seeds there are, and the network and data that they have."""
    seeds = runs.groupby(["study", "arm"])["seed"].nunique()
    low, high = int(seeds.min()), int(seeds.max())
    number = f"{low}" if low == high else f"{low} to {high}"
    words = [f"{counted(len(runs), 'run')}, {number} {'seed' if high == 1 else 'seeds'} an arm"]
    for key, text in SETTING.items():
        values = list(runs[key].dropna().unique()) if key in runs else []
        if values:
            few = len(values) <= MOST_VALUES
            words.append(text.format(" or ".join(map(str, values)) if few else "varied"))
    return "; ".join(words)
