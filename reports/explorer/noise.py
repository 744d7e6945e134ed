"""What the view of label noise shows: mean curves at each level, and the memorization wall."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.explorer.packing import packed_bytes
from reports.grouping import alike
from reports.read import Records, image_shape
from study.records.predictions import tables_by_run

NOISE = "data.label_noise"
CURVES = {
    "untouched": "train_accuracy_untouched",
    "redrawn": "train_accuracy_redrawn",
    "test": "test_accuracy",
}
MOST_MOMENTS = 32  # epochs at which the wall has each example's history
SHADES = 15  # steps from a probability of 0 to 1, so that histories compress well


def noise_levels(records: Records) -> dict[str, Any] | None:
    """Return the levels of label noise of the study that has most of them; None without two.

    Returns
    -------
    noise
        ``levels``, one entry a level with mean curves over seeds and each seed's epoch of fit; and
        ``images``, the sprite that the levels' walls refer to, or None.
    """
    runs = _of_one_setting(records)
    if runs.empty or runs[NOISE].nunique() < 2:
        return None
    found: dict[str, Any] = {"study": runs["study"].iloc[0], "levels": [], "images": None}
    images: NDArray[np.uint8] | None = None
    for level, its in runs.groupby(NOISE, sort=True):
        entry = {"noise": float(level), **_level(records.history, its)}  # type: ignore[arg-type]  # pandas types a group's key as a scalar
        wall, pictures = _wall(records, its) if level else (None, None)
        if pictures is not None and (images is None or np.array_equal(images, pictures)):
            images, entry["wall"] = pictures, wall
        found["levels"].append(entry)
    if images is not None:
        found["images"] = _sprite(images, image_shape(runs.iloc[0]))
    return found


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
        "wall": None,
    }


def _wall(
    records: Records, runs: pd.DataFrame
) -> tuple[dict[str, Any] | None, NDArray[np.uint8] | None]:
    """Return the redrawn examples that one network was asked about after each epoch.

    The network is that of the first seed whose images are kept.
    """
    for row in runs.sort_values("seed").to_dict("records"):
        for folder in records.studies:
            table = tables_by_run(Path(folder), [row["run"]]).get(row["run"])
            if table is None or "at" not in table.column_names:
                continue
            answers = table.to_pandas()
            answers = answers[answers["part"] == "train"].sort_values("epoch")
            names = answers["images"].dropna().unique()
            if len(names) and names[0] in records.images:
                wall = {"run": row["run"], "seed": int(row["seed"]), **_of_network(answers)}
                return wall, records.images[names[0]]
    return None, None


def _of_network(answers: pd.DataFrame) -> dict[str, Any]:
    first = answers.iloc[0]
    given, true = np.asarray(first["label"]), np.asarray(first["true_label"])
    redrawn = np.flatnonzero(given != true)
    said = np.stack(answers["said"].to_list())[:, redrawn]
    probability = np.stack(answers["label_probability"].to_list())[:, redrawn].astype(float)
    epochs = answers["epoch"].to_numpy(dtype=int)
    learned = learned_at(said == given[redrawn], epochs)
    moments = np.unique(
        np.linspace(0, len(epochs) - 1, min(MOST_MOMENTS, len(epochs))).round().astype(int)
    )
    shades = np.rint(np.nan_to_num(probability[moments]) * SHADES).astype(np.uint8)
    return {
        "place": redrawn.tolist(),
        "given": given[redrawn].tolist(),
        "true": true[redrawn].tolist(),
        "learned": learned,
        "epochs": epochs[moments].tolist(),
        "history": packed_bytes(shades.T.tobytes()),
    }


def learned_at(right: NDArray[np.bool_], epochs: NDArray[np.int64]) -> list[int | None]:
    """Return the epoch from which each example is answered with its label until the end.

    Parameters
    ----------
    right
        Whether an example was answered so, [epoch, example].
    epochs
        The epochs.

    Examples
    --------
    >>> learned_at(np.array([[0, 1], [1, 0], [1, 0]], dtype=bool), np.array([0, 5, 9]))
    [5, None]
    """
    since = len(right) - np.argmin(right[::-1], axis=0)
    since[right.all(axis=0)] = 0
    return [None if at == len(epochs) else int(epochs[at]) for at in since]


def _sprite(images: NDArray[np.uint8], shape: tuple[int, ...]) -> Mapping[str, Any]:
    """Return images in one PNG, one below the other."""
    from PIL import Image

    height, width = shape[:2]
    content = io.BytesIO()
    Image.fromarray(images.reshape(-1, width, *shape[2:])).save(content, "PNG", optimize=True)
    address = "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
    return {"address": address, "height": height, "width": width, "number": len(images)}
