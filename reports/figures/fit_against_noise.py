"""Epochs until all training labels are fitted, against label noise (Zhang et al. 2017, figure 1b).

Zhang, Bengio, Hardt, Recht & Vinyals (2017), "Understanding deep learning requires rethinking
generalization".
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from reports.figures import Figure
from reports.figures.memorization import over_noise
from reports.read import Records
from reports.style import COLOURS


def data(records: Records) -> pd.DataFrame:
    """Return each run's epochs to fit; a run that did not fit has the epochs it trained."""
    stopping = records.runs[records.runs["stop.train_accuracy"].notna()]
    runs = over_noise(records, stopping)
    if runs["data.label_noise"].nunique() < 2:
        return pd.DataFrame()
    fitted = runs["epochs_to_fit"].notna()
    epochs = runs["epochs_to_fit"].fillna(runs["epochs"]).astype(float)
    table = runs[["run", "seed", "data.label_noise"]].assign(epochs=epochs, fitted=fitted)
    return table.sort_values(["data.label_noise", "seed"], ignore_index=True)


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw a dot a run and a line through the medians of levels at which every run fitted."""
    ax = ax or plt.gca()
    table = data(records)
    fitted, not_fitted = table[table["fitted"]], table[~table["fitted"]]
    line = medians(table).dropna()
    ax.plot(line.index, line, color=COLOURS[1], label="median over seeds")
    ax.plot(
        fitted["data.label_noise"],
        fitted["epochs"],
        "o",
        color=COLOURS[0],
        markersize=3,
        alpha=0.6,
        label="a run",
    )
    if len(not_fitted):
        ax.plot(
            not_fitted["data.label_noise"],
            not_fitted["epochs"],
            "^",
            color=COLOURS[2],
            markersize=4,
            label="a run not fitted by then",
        )
    ax.set(xlabel="label noise (share of labels redrawn)", ylabel="epochs to fit", ylim=(0, None))
    ax.legend(title=None)
    return ax


def medians(table: pd.DataFrame) -> pd.Series:
    """Return the median epochs to fit of each level; nan where half of the runs did not fit."""
    times = table["epochs"].where(table["fitted"], float("inf"))
    found = times.groupby(table["data.label_noise"]).median()
    return found.where(found < float("inf"))


def alt(records: Records) -> str:
    """Describe the figure."""
    parts = [
        f"noise {level:g}: " + ("not fitted" if pd.isna(epochs) else f"{epochs:g}")
        for level, epochs in medians(data(records)).items()
    ]
    return "Median epochs to fit against label noise. " + "; ".join(parts) + "."


FIGURE = Figure(
    __doc__,
    data,
    draw,
    alt,
    needs="runs at several levels of label noise that stop once they fit (stop.train_accuracy)",
    band="Line: median over seeds, where at least half of the runs fitted; dot: a run; triangle: a "
    "run that had not fitted when its training ended",
)
