"""Means stop with the first run that stops, and what figures say is what was recorded."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd

from reports.figures import complete, destroyed_inputs, early_peak, fit_against_noise, thinned
from reports.read import read


def test_no_mean_is_one_of_survivors() -> None:
    table = pd.DataFrame(
        {
            "run": ["a", "a", "a", "b", "b", "c"],
            "arm": ["x", "x", "x", "x", "x", "y"],
            "epoch": [0, 1, 2, 0, 1, 0],
            "loss": [3.0, 2.0, 1.0, 3.0, float("nan"), 3.0],
        }
    )
    assert complete(table, ["arm"], "epoch")["epoch"].tolist() == [0, 1, 0, 1, 0]
    assert complete(table, ["arm"], "loss")["epoch"].tolist() == [0, 0, 0]


def test_thinned_keeps_the_first_and_the_last_epoch() -> None:
    table = pd.DataFrame({"epoch": range(101), "run": "a"})
    kept = thinned(table, 5)["epoch"].tolist()
    assert kept == [0, 25, 50, 75, 100]


def test_the_epochs_to_fit_of_runs_that_did_not_fit_are_no_medians() -> None:
    table = pd.DataFrame(
        {
            "data.label_noise": [0, 0, 0, 1, 1, 1],
            "epochs": [3.0, 4.0, 9.0, 9.0, 9.0, 2.0],
            "fitted": [True, True, False, False, False, True],
        }
    )
    found = fit_against_noise.medians(table)
    assert found[0] == 4
    assert pd.isna(found[1])


def test_the_peak_is_the_highest_mean(results: Path) -> None:
    records = read([results])
    table = early_peak.data(records)
    runs = table.attrs["runs"]
    history = records.history[records.history["run"].isin(runs)]
    means = history.groupby(["epoch", "arm"])["test_accuracy"].mean()
    assert table["test_accuracy"].max() == means.max()
    assert f"{means.max():.3f}" in early_peak.alt(records)


def test_destroyed_inputs_stand_beside_random_labels(results: Path) -> None:
    records = read([results])
    assert destroyed_inputs.data(records).empty
    runs = records.runs.copy()
    noisy = runs["data.label_noise"] == 1
    runs.loc[noisy & (runs["seed"] < 3), "data.label_noise"] = 0
    runs.loc[noisy & (runs["seed"] < 3), "data.inputs"] = "gaussian"
    table = destroyed_inputs.data(dataclasses.replace(records, runs=runs))
    assert list(table["condition"].unique()) == ["original", "gaussian", "random labels"]
