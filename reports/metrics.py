"""One number a run: a metric at an epoch, and what stands for it where a run has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from study.base.errors import BadInput, nearest
from study.base.names import imported, is_path
from study.data.sources import SOURCES
from study.records.columns import history_columns

At = str | int | Mapping[str, Any]

# A diverged run has no number for its loss: it counts as the worst there is. The worst accuracy is
# that of guessing, `chance`.
WORST = {"cross_entropy": 87.3, "squared_error": 2.0}  # the first: -log of the smallest float32
OUTCOMES = ("epochs", "epochs_to_fit", "parameters", "seconds")  # numbers that ``runs`` has


def values(
    runs: pd.DataFrame, history: pd.DataFrame, metric: str, at: At, by: str | None = None
) -> pd.DataFrame:
    """Return a row a run, by its id: the ``value`` of a metric, and whether it ``stands_in``.

    Parameters
    ----------
    metric
        A column of ``history``; one of `OUTCOMES`, for which ``at`` does not matter; or
        ``package.module:function`` of your own, which gets ``history`` and returns a column.
    at
        ``first`` (before training), ``last``, ``best`` (smallest loss, largest accuracy), ``fit``
        (where ``epochs_to_fit`` says), ``largest``, ``smallest``, an epoch, or a mapping: the last
        epoch at which ``metric``, as a share of its value before training, is ``within`` bounds.
    by
        The metric that is best at ``best``, in place of ``metric`` itself.

    Returns
    -------
    values
        A run that diverged, or did not fit where it was to, has the worst value of the metric (nan
        of a metric that has none), or as many epochs as it was trained at most; it stands in. A run
        that has no value for another reason has nan.

    Raises
    ------
    BadInput
        No such metric.
    """
    check_metric(history, metric)
    table = runs.set_index("run")
    diverged = table["status"] == "diverged"
    if metric in OUTCOMES:
        value = table[metric].astype(float)
        stands_in = diverged & (metric != "parameters")
        if metric == "epochs_to_fit":
            stands_in |= value.isna()
            longest = table["epochs"].where(~diverged, table["trainer.max_epochs"])
            value = value.where(~stands_in, longest.astype(float))
        return pd.DataFrame({"value": value, "stands_in": stands_in})
    column = _column(history, metric)
    rows = history[["run", "epoch"]].assign(value=column)
    epochs = _epochs(runs, history, column if by is None else history[by], by or metric, at)
    chosen = rows[rows["epoch"] == rows["run"].map(epochs)].set_index("run")["value"]
    value = chosen.astype(float).reindex(table.index)
    worst = _worst(runs, metric)
    stands_in = diverged & (value.isna() | _after(table["epochs"], at))
    if not larger_is_better(metric):
        stands_in |= value > worst
    if at == "fit":
        stands_in |= table["epochs_to_fit"].isna()
    return pd.DataFrame({"value": value.where(~stands_in, worst), "stands_in": stands_in})


def check_metric(history: pd.DataFrame, metric: str, key: str = "metric") -> None:
    """Refuse what `values` has no number for; the message has the nearest name.

    Raises
    ------
    BadInput
        No such metric.
    """
    columns = [*history_columns(validation=True), *history.select_dtypes("number")]
    known = [name for name in dict.fromkeys(columns) if name not in ("run", "epoch", "seed")]
    known += OUTCOMES
    if metric not in known and not is_path(metric):
        hint = nearest(metric, known) or "or package.module:function of your own"
        raise BadInput(key, f"one of {', '.join(known)}", metric, hint)


def at_in_words(at: At) -> str:
    """Return an epoch in words."""
    if isinstance(at, Mapping):
        low, high = at["within"]
        return f"the last epoch with {at['metric']} within {low:g} to {high:g} of its start"
    return f"epoch {at}" if isinstance(at, int) else f"the {at} epoch"


def last_epochs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of each run's last epoch."""
    return table.loc[table.groupby("run", sort=False)["epoch"].idxmax()]


def larger_is_better(metric: str) -> bool:
    """Tell whether the best value of a metric is the largest: of accuracies."""
    return "accuracy" in metric


def _column(history: pd.DataFrame, metric: str) -> pd.Series:
    if metric in history.columns:
        return history[metric]
    if not is_path(metric):  # a column that none of these records has
        return pd.Series(float("nan"), index=history.index)
    column = imported(metric, "metric", "a metric")(history)
    if not isinstance(column, pd.Series) or not column.index.equals(history.index):
        raise BadInput(metric, "to return a number a row of history", type(column).__name__)
    return column


def _epochs(
    runs: pd.DataFrame, history: pd.DataFrame, guide: pd.Series, name: str, at: At
) -> pd.Series:
    """Return the epoch that ``at`` means in each run; ``guide`` is what is best at the best."""
    epochs = history.groupby("run", sort=False)["epoch"]
    if isinstance(at, Mapping):
        followed = _column(history, at["metric"])
        starts = followed[history["epoch"] == 0].set_axis(history["run"][history["epoch"] == 0])
        inside = (followed / history["run"].map(starts)).between(*at["within"])
        return history[inside].groupby("run")["epoch"].max()
    if at in ("best", "largest", "smallest"):
        largest = at == "largest" or (at == "best" and larger_is_better(name))
        grouped = guide.dropna().groupby(history["run"], sort=False)
        rows = grouped.idxmax() if largest else grouped.idxmin()
        return pd.Series(history["epoch"].loc[rows].to_numpy(), index=rows.index)
    if at == "last":
        return epochs.max()
    if at == "fit":
        return runs.set_index("run")["epochs_to_fit"].dropna()
    return pd.Series(0 if at == "first" else at, index=runs["run"])


def _after(epochs: pd.Series, at: At) -> pd.Series:
    """Return whether a diverged run had diverged by then, or when the epoch was chosen."""
    if at in ("first", 0):  # before training
        return pd.Series(False, index=epochs.index)
    return epochs <= at if isinstance(at, int) else pd.Series(True, index=epochs.index)


def chance(runs: pd.DataFrame) -> pd.Series:
    """Return the accuracy of guessing, by run; where it is not recorded, of the data set."""
    recorded = runs["classes"] if "classes" in runs else pd.Series(float("nan"), index=runs.index)
    known = runs["data.dataset"].map(lambda name: SOURCES[name].classes if name in SOURCES else 10)
    return (1 / recorded.fillna(known).astype(float)).set_axis(runs["run"])


def _worst(runs: pd.DataFrame, metric: str) -> pd.Series:
    if metric.endswith("accuracy"):
        return chance(runs)
    ends = (worst for name, worst in WORST.items() if metric.endswith(name) and ":" not in metric)
    return pd.Series(next(ends, float("nan")), index=runs["run"])
