"""Records of one or several studies, joined; what could not be read is named, not dropped."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

import study
from study.base.errors import BadInput
from study.records.reading import (
    history_columns,
    load_images,
    load_predictions,
    pictured,
    read_config,
)
from study.runs.run import fact_keys
from study.runs.study import varied_keys
from study.terminal.summary import condition_label

# A diverged run has no number for its loss: it counts as the worst there is.
WORST = {
    "cross_entropy": 87.3,  # -log of the smallest float32
    "squared_error": 2.0,
    "accuracy": 0.0,
}


@dataclass(frozen=True)
class Records:
    """What studies left.

    Attributes
    ----------
    runs
        One row a run that ended, as `study.load` gives it, with ``study`` (the first that holds
        it) and ``condition`` (what varies there, in words).
    history
        One row an evaluated epoch, with ``condition``, ``seed`` and ``study``.
    predictions
        One row a kept example of the run that is shown (see `shown_first`), with the name of its
        ``images`` where there are any; `study.records.reading.load_predictions` reads those of all.
    images
        Pixels in [0, 1] by name, [height, width] or with a third dimension of colours.
    environments
        By their hash.
    studies
        Each study's config, by its folder.
    left_out
        What could not be read, a line each.
    """

    runs: pd.DataFrame
    history: pd.DataFrame
    predictions: pd.DataFrame
    images: dict[str, Any]
    environments: dict[str, dict[str, Any]]
    studies: dict[str, dict[str, Any]]
    left_out: list[str] = field(default_factory=list)

    def having(self, facts: Mapping[str, Any]) -> pd.DataFrame:
        """Return the rows of ``runs`` that have these facts; None stands for an empty one."""
        table = self.runs
        for key, wanted in facts.items():
            if key not in table.columns:
                return table.iloc[:0]
            table = table[table[key].isna() if wanted is None else table[key] == wanted]
        return table

    def last(self) -> pd.DataFrame:
        """Return each run's last row of ``history``, by its id."""
        return last_epochs(self.history).set_index("run")

    def values(self, metric: str, at: str | int) -> pd.Series:
        """Return one number a run, by its id: a metric at an epoch.

        Parameters
        ----------
        metric
            A column of ``history``, or of ``runs`` (then ``at`` does not matter).
        at
            ``first`` (before training), ``last``, ``best`` (smallest loss, largest accuracy),
            ``fit`` (where ``epochs_to_fit`` says), ``largest``, ``smallest``, or an epoch.

        Raises
        ------
        BadInput
            No such metric.
        """
        if metric in self.runs.columns and metric not in self.history.columns:
            return self.runs.set_index("run")[metric].astype(float)
        if metric not in self.history.columns:
            known = ", ".join(self.history.columns[2:])
            raise BadInput("metric", f"one of {known}, or a column of runs", metric)
        table = self.history[["run", "epoch", metric]].copy()
        for name, worst in WORST.items():
            if metric.endswith(name):
                trained = table["epoch"] > 0
                table[metric] = table[metric].where(table[metric].notna() | ~trained, worst)
                table[metric] = table[metric].clip(upper=max(worst, 1.0))
        if at == "last":
            return last_epochs(table).set_index("run")[metric]
        if at in ("best", "largest", "smallest"):
            largest = at == "largest" or (at == "best" and "accuracy" in metric)
            grouped = table.groupby("run", sort=False)
            return grouped[metric].max() if largest else grouped[metric].min()
        if at == "fit":
            fitted = self.runs.set_index("run")["epochs_to_fit"].dropna()
            joined = table.join(fitted.rename("fit"), on="run", how="inner")
            return joined[joined["epoch"] == joined["fit"]].set_index("run")[metric]
        epoch = 0 if at == "first" else at
        return table[table["epoch"] == epoch].set_index("run")[metric]


def last_epochs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of each run's last epoch."""
    return table.loc[table.groupby("run", sort=False)["epoch"].idxmax()]


def read(folders: Sequence[Path]) -> Records:
    """Read studies' folders.

    Raises
    ------
    BadInput
        No run that ended; of a single folder, also why it cannot be read.
    """
    runs, histories, left_out = [], [], []
    images: dict[str, Any] = {}
    environments: dict[str, dict[str, Any]] = {}
    studies: dict[str, dict[str, Any]] = {}
    for folder in folders:
        try:
            config = read_config(folder)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                its_runs, its_history = study.load(folder)
        except BadInput as fault:
            if len(folders) == 1:
                raise
            left_out.append(str(fault))
            continue
        left_out += [str(warning.message) for warning in caught]
        if its_runs.empty:
            left_out.append(f"{folder}: no run has ended yet")
            continue
        studies[str(folder)] = config
        labels = _labels(its_runs, varied_keys(config.get("vary") or {}))
        its_runs = its_runs.assign(study=config["name"], condition=labels)
        runs.append(its_runs)
        histories.append(its_history)
        images |= load_images(folder)
        environments |= _environments(folder, left_out)
    if not runs:
        raise BadInput(
            ", ".join(map(str, folders)),
            "at least one run that ended",
            0,
            f"train first: python -m study.fit --config {folders[0]}/study.yaml",
        )
    all_runs = pd.concat(runs, ignore_index=True).drop_duplicates("run", ignore_index=True)
    history = pd.concat(histories, ignore_index=True).drop_duplicates(["run", "epoch"])
    # Records of an earlier version may lack some.
    history = history.reindex(columns=list(dict.fromkeys([*history, *history_columns()])))
    history = history.merge(all_runs[["run", "study", "condition", "seed"]], on="run")
    kept = _predictions([Path(folder) for folder in studies], all_runs, images)
    return Records(all_runs, history, kept, images, environments, studies, left_out)


def shown_first(runs: pd.DataFrame) -> pd.DataFrame:
    """Return runs in the order in which one is chosen to be shown: most labels redrawn first."""
    return runs.sort_values(["data.label_noise", "seed"], ascending=[False, True])


def _predictions(folders: Sequence[Path], runs: pd.DataFrame, images: dict[str, Any]) -> Any:
    """Return what the run says whose images are shown: of all runs it would be too much to read."""
    with_image = set().union(*(pictured(folder, images) for folder in folders if images))
    chosen = shown_first(runs[runs["run"].isin(with_image)])["run"].iloc[:1]
    found = [load_predictions(folder, set(chosen)) for folder in folders]
    return pd.concat(found, ignore_index=True).drop_duplicates(["run", "part", "example"])


def _labels(runs: pd.DataFrame, varied: Sequence[str]) -> list[str]:
    """Return each run's condition in words: what varies in its study."""
    known = [key for key in varied if key in runs]
    if not known:
        return [condition_label(dict.fromkeys(varied))] * len(runs)
    arms = runs.groupby(known, sort=False, dropna=False).ngroup()
    rows = runs.loc[~arms.duplicated(), known].to_dict("records")
    labels = [condition_label({key: _fact(row, key) for key in varied}) for row in rows]
    return [labels[arm] for arm in arms]


def _fact(row: Mapping[Any, Any], key: str) -> Any:
    value = row.get(key)
    if isinstance(value, str) and value[:1] in "[{":
        return json.loads(value)
    return value


def _environments(folder: Path, left_out: list[str]) -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted((folder / "environment").glob("*.json")):
        try:
            found[path.stem] = json.loads(path.read_text())
        except ValueError as error:
            left_out.append(f"{path}: not an environment ({error})")
    return found


def facts_of(records: Records) -> list[str]:
    """Return the columns of ``runs`` that are facts."""
    return [name for name in records.runs.columns if name in fact_keys() or "." in name]
