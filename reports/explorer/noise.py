"""What the view of label noise shows: mean curves at each level, and the memorization wall."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.explorer.answers import Answers, answers_of, picture_shape, pictures_of
from reports.explorer.packing import packed_bytes
from reports.explorer.sprites import Sprites
from reports.grouping import alike
from reports.read import Records
from study.records.predictions import tables_by_run

NOISE = "data.label_noise"
CURVES = {
    "untouched": "train_accuracy_untouched",
    "redrawn": "train_accuracy_redrawn",
    "test": "test_accuracy",
}
MOST_MOMENTS = 32  # epochs at which the wall has each example's history
SHADES = 15  # steps from a probability of 0 to 1, so that histories compress well


def noise_levels(records: Records, sprites: Sprites) -> dict[str, Any] | None:
    """Return the levels of label noise of the study that has most of them; None without two.

    Parameters
    ----------
    sprites
        Where the images of the levels' walls go.

    Returns
    -------
    noise
        ``levels``, one entry a level with mean curves over seeds, each seed's epoch of fit, and the
        wall of one network, or None.
    """
    runs = _of_one_setting(records)
    if runs.empty or runs[NOISE].nunique() < 2:
        return None
    levels = [
        {
            "noise": float(level),  # type: ignore[arg-type]  # pandas types a group's key as a scalar
            **_level(records.history, its),
            "wall": _wall(records, its, sprites) if level else None,
        }
        for level, its in runs.groupby(NOISE, sort=True)
    ]
    return {"study": runs["study"].iloc[0], "levels": levels}


def _of_one_setting(records: Records) -> pd.DataFrame:
    """Return the runs that differ in seed and noise alone, of the setting with most levels."""
    runs = records.runs
    if NOISE not in runs:
        return runs.iloc[:0]
    groups = alike(records, runs, NOISE, by="study")
    return max(groups, key=lambda group: group[NOISE].nunique(), default=runs)


def _level(history: pd.DataFrame, runs: pd.DataFrame) -> dict[str, Any]:
    """Return mean curves of one level; a run that has stopped keeps its last values."""
    its = history[history["run"].isin(runs["run"])]
    curves: dict[str, Any] = {}
    for name, column in CURVES.items():
        wide = its.pivot_table(index="epoch", columns="run", values=column, dropna=False).ffill()
        mean = wide.mean(axis=1, skipna=False)
        curves[name] = [None if np.isnan(value) else round(value, 4) for value in mean]
    fits = runs.sort_values("seed")["epochs_to_fit"]
    return {
        "epochs": np.sort(its["epoch"].unique()).tolist(),
        "curves": curves,
        "fit": [None if pd.isna(value) else int(value) for value in fits],
        "seeds": len(runs),
    }


def _wall(records: Records, runs: pd.DataFrame, sprites: Sprites) -> dict[str, Any] | None:
    """Return the redrawn examples that one network was asked about after each epoch.

    The network is that of the first seed whose images are kept.
    """
    for row in runs.sort_values("seed").to_dict("records"):
        for folder in records.studies:
            answers = answers_of(tables_by_run(Path(folder), [row["run"]]).get(row["run"]))
            shape = picture_shape(row)
            images = None if answers is None else pictures_of(records, row, answers)
            if answers is not None and images is not None and shape:
                sheet = sprites.sheet(shape)
                return {
                    "run": row["run"],
                    "seed": int(row["seed"]),
                    "diverged": int(row["epochs"]) if answers.lost else None,
                    "sheet": sheet,
                    **_of_network(answers, images, partial(sprites.add, sheet)),
                }
    return None


def _of_network(
    answers: Answers,
    images: NDArray[np.uint8],
    add: Callable[[NDArray[np.uint8], int], int],
) -> dict[str, Any]:
    epochs, given, true = answers.epochs, answers.given, answers.true
    learned, redrawn = answers.learned, np.flatnonzero(given != true)
    moments = np.unique(
        np.linspace(0, len(epochs) - 1, min(MOST_MOMENTS, len(epochs))).round().astype(int)
    )
    shades = np.rint(answers.probability[moments][:, redrawn] * SHADES)
    shades = np.nan_to_num(shades, nan=SHADES + 1).astype(np.uint8)  # which the page leaves out
    return {
        "place": [add(images[number], true[number]) for number in redrawn],
        "given": given[redrawn].tolist(),
        "learned": [learned[number] for number in redrawn],
        "epochs": epochs[moments].tolist(),
        "history": packed_bytes(shades.T.tobytes()),
    }
