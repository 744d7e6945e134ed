"""The table at the end: each condition's losses, accuracies and time to fit over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from study.runs.study import Study

if TYPE_CHECKING:
    import pandas as pd

METRICS = {
    "train_cross_entropy": "train loss",
    "train_accuracy": "train accuracy",
    "test_cross_entropy": "test loss",
    "test_accuracy": "test accuracy",
}


def condition_label(condition: Mapping[str, Any]) -> str:
    """Return a condition in words: ``label_noise 0.5, backward identity``.

    Examples
    --------
    >>> condition_label({"data.label_noise": 1, "model.hidden": [256]})
    'label_noise 1, hidden [256]'
    """
    parts = [f"{key.rpartition('.')[2]} {_plain(value)}" for key, value in condition.items()]
    return ", ".join(parts) or "all runs"


def _plain(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def mean_interval(values: Sequence[float] | NDArray[np.float64]) -> tuple[float, float]:
    """Return a mean and the half-width of its 95% interval (Student's t; nan for fewer than 2).

    Examples
    --------
    >>> mean, half = mean_interval([1.0, 2.0, 3.0])
    >>> round(mean, 3), round(half, 3)
    (2.0, 2.484)
    """
    from scipy.special import stdtrit

    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) < 2:
        return float(numbers.mean()) if len(numbers) else float("nan"), float("nan")
    error = numbers.std(ddof=1) / np.sqrt(len(numbers))
    return float(numbers.mean()), float(stdtrit(len(numbers) - 1, 0.975) * error)


def written(values: Sequence[float] | NDArray[np.float64], digits: int) -> str:
    """Return ``mean ± half-width``, or a dash when there is nothing to average."""
    mean, half = mean_interval(values)
    if np.isnan(mean):
        return "–"
    return f"{mean:.{digits}f}" + ("" if np.isnan(half) else f" ± {half:.{digits}f}")


def summary(study: Study, runs: pd.DataFrame, history: pd.DataFrame) -> Table:
    """Return the final table of a study's recorded runs.

    Losses are cross-entropies whatever was trained. Runs that diverged are counted, and left out of
    the means of losses that are no numbers.
    """
    table = Table(box=None, header_style="bold")
    table.add_column("condition", no_wrap=True)
    for heading in (*METRICS.values(), "epochs to fit", "fitted", "diverged"):
        table.add_column(heading, justify="right")
    # Not groupby().last(), which would pass over the missing values of a run that diverged.
    last = history.sort_values("epoch").drop_duplicates("run", keep="last").set_index("run")
    by_id = runs.set_index("run")
    arms: dict[str, list[str]] = {}
    for run in study.runs:
        if run.id in by_id.index:
            arms.setdefault(condition_label(study.arm(run)), []).append(run.id)
    for label, ids in arms.items():
        rows, ended = last.loc[ids], by_id.loc[ids]
        cells = []
        for metric in METRICS:
            values = rows[metric].to_numpy(dtype=np.float64)
            cells.append(written(values[np.isfinite(values)], 4 if "entropy" in metric else 3))
        to_fit = ended["epochs_to_fit"].dropna().to_numpy(dtype=np.float64)
        table.add_row(
            Text(label),
            *cells,
            written(to_fit, 1),
            f"{len(to_fit)}/{len(ended)}",
            str(int((ended["status"] == "diverged").sum())),
        )
    return table


def show(study: Study, runs: pd.DataFrame, history: pd.DataFrame, console: Console) -> None:
    """Print the final table with a line that says what its numbers are."""
    console.print(summary(study, runs, history))
    console.print(
        "mean ± 95% interval over seeds at each run's last epoch; losses are cross-entropies in "
        "nats; test labels are true",
        style="dim",
        soft_wrap=True,
    )
