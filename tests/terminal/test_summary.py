"""The final table's numbers, on values small enough to check by hand."""

from __future__ import annotations

import io
import math

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats

from study.runs.run import Run
from study.runs.study import Study
from study.terminal.arms import arm_label
from study.terminal.summary import mean_interval, summary, written


def test_the_interval_is_student_s() -> None:
    values = np.array([0.1, 0.4, 0.2, 0.9])
    mean, half = mean_interval(values)
    low, high = stats.t.interval(0.95, 3, loc=values.mean(), scale=stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_one_value_has_no_interval_and_none_has_no_mean() -> None:
    assert written([0.5], 2) == "0.50"
    assert written([], 2) == "–"
    assert math.isnan(mean_interval([0.5])[1])


def test_labels_use_the_last_part_of_the_key() -> None:
    assert arm_label({"data.label_noise": 0.0, "model.loss": "squared_error"}) == (
        "label_noise 0, loss squared_error"
    )
    assert arm_label({}) == "all runs"


def test_each_arm_is_a_row_and_no_mean_is_one_of_survivors() -> None:
    study = Study(seeds=3, vary={"data.label_noise": [0, 1]})
    runs = []
    for run in study.runs:
        bad = run.data.label_noise == 1 and run.seed == 2
        status = "diverged" if bad else "fitted"
        to_fit = None if bad else 10 + run.seed
        row = {"run": run.id, "seed": run.seed, "status": status, "epochs_to_fit": to_fit}
        row |= {"train_cross_entropy": float("nan") if bad else run.seed + 1.0}
        row |= dict.fromkeys(("train_accuracy", "test_cross_entropy", "test_accuracy"), 0.5)
        runs.append(row)
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(summary(study, pd.DataFrame(runs)))
    lines = console.export_text().splitlines()
    half = stats.t.ppf(0.975, 2) / math.sqrt(3)
    assert f"2.0000 ± {half:.4f}" in lines[1]
    assert "11.0 ± 2.5" in lines[1]
    assert lines[1].split()[-2:] == ["3/3", "0"]
    assert lines[2].split()[2:4] == ["–", "0.500"]
    assert lines[2].count("–") == 2  # the loss, and the epochs to fit
    assert lines[2].split()[-2:] == ["2/3", "1"]


def test_only_the_study_s_own_runs_are_in_its_table() -> None:
    study = Study(seeds=1)
    other = Run(seed=7)
    metrics = ("train_cross_entropy", "train_accuracy", "test_cross_entropy", "test_accuracy")
    common = {"status": "finished", "epochs_to_fit": None, **dict.fromkeys(metrics, 0.25)}
    frame = pd.DataFrame(
        [{"run": run.id, "seed": run.seed, **common} for run in (*study.runs, other)]
    )
    table = summary(study, frame)
    assert list(table.labels) == [("all runs",)]
    assert [column.cells for column in table.groups[1]] == [["–"], ["0/1"], ["0"]]
