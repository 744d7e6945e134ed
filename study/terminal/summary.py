"""The final tables: each arm's losses, accuracies and epochs to fit, averaged over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from study.runs.progress import DIVERGED, FAILED
from study.runs.run import Run
from study.runs.study import Study
from study.terminal.arms import arm_label, by_arm
from study.terminal.folded_tables import Column, Tables

if TYPE_CHECKING:
    import pandas as pd

METRICS = {
    "train_cross_entropy": "train loss",
    "train_accuracy": "train accuracy",
    "test_cross_entropy": "test loss",
    "test_accuracy": "test accuracy",
}
MOST_ERRORS = 10  # different errors that are printed


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
    """Return ``mean ± half-width``, or a dash where a run has no number or there is none.

    A mean over the other runs would be one of survivors.
    """
    mean, half = mean_interval(values)
    if not np.isfinite(mean):
        return "–"
    return f"{mean:.{digits}f}" + ("" if np.isnan(half) else f" ± {half:.{digits}f}")


def summary(study: Study, runs: pd.DataFrame) -> Tables:
    """Return the final tables of a study's recorded runs.

    Losses are cross-entropies, whatever loss was trained. Runs that failed are counted, and in no
    mean. Where a run diverged or did not fit, there is no mean of what it lacks.
    """
    by_id = runs.set_index("run")
    arms = by_arm(study, (run for run in study.runs if run.id in by_id.index))
    ended = [by_id.loc[[run.id for run in members]] for members in arms.values()]
    trained = [each[each["status"] != FAILED] for each in ended]
    values = []
    for metric, heading in METRICS.items():
        digits = 4 if "entropy" in metric else 3
        cells = [written(each[metric].to_numpy(dtype=np.float64), digits) for each in trained]
        values.append(Column(heading.replace("accuracy", "acc."), cells))
    to_fit = [each["epochs_to_fit"].to_numpy(dtype=np.float64) for each in trained]
    ends = [Column("epochs to fit", [written(each, 1) for each in to_fit])]
    shares = [f"{each['epochs_to_fit'].count()}/{len(each)}" for each in ended]
    ends.append(Column("fitted", shares))
    for status in (DIVERGED, FAILED):
        cells = [str((each["status"] == status).sum()) for each in ended]
        if status == DIVERGED or set(cells) != {"0"}:
            ends.append(Column(status, cells, style="red"))
    return Tables("arm", list(arms), [values, ends])


def show_failed(study: Study, failed: Mapping[str, str], console: Console) -> None:
    """Print how many runs failed, and one failed run for each different error."""
    if not failed:
        return
    console.print(f"{len(failed)} failed: the same command trains them again", style="red")
    errors: dict[str, list[Run]] = {}
    for run in study.runs:
        if run.id in failed:
            errors.setdefault(failed[run.id], []).append(run)
    for error, runs in list(errors.items())[:MOST_ERRORS]:
        more = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
        label = arm_label(study.arm(runs[0]))
        console.print(f"  {label}, seed {runs[0].seed}{more}: {error}", soft_wrap=True)
    if len(errors) > MOST_ERRORS:
        console.print(f"  and {len(errors) - MOST_ERRORS} more errors")


def show(study: Study, runs: pd.DataFrame, console: Console) -> None:
    """Print the final tables, and a line that explains their numbers."""
    console.print(summary(study, runs))
    console.print(
        "mean ± 95% interval over seeds at each run's last epoch; losses are cross-entropies in "
        "nats; test labels are true",
        style="dim",
    )
