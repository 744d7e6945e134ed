"""Epochs until all training labels are fitted, against label noise (Zhang et al. 2017, figure 1b).

Zhang, Bengio, Hardt, Recht & Vinyals (2017), "Understanding deep learning requires rethinking
generalization".
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from reports.figures import Figure
from reports.figures.marks import diverged_of, mark_diverged
from reports.figures.memorization import over_noise
from reports.read import Records
from reports.style import COLOURS, noise_colour


def data(records: Records) -> pd.DataFrame:
    """Return each run's epochs to fit; a run that did not fit has the epochs it trained.

    A run that diverged has the epochs that it would have trained.
    """
    stopping = records.runs[records.runs["stop.train_accuracy"].notna()]
    runs = over_noise(records, stopping)
    if runs["data.label_noise"].nunique() < 2:
        return pd.DataFrame()
    times = records.measured("epochs_to_fit", "last").loc[runs["run"]]
    table = runs[["run", "seed", "data.label_noise"]].assign(
        epochs=times["value"].to_numpy(), fitted=~times["stands_in"].to_numpy()
    )
    return table.sort_values(["data.label_noise", "seed"], ignore_index=True)


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw a dot a run and a line through the medians of levels at which every run fitted."""
    ax = ax or plt.gca()
    table = data(records)
    line = medians(table).dropna()
    ax.plot(line.index, line, color=COLOURS[1], label="median over seeds")
    diverged = table["run"].isin(diverged_of(records, table["run"]))
    x, colours = _side_by_side(table), table["data.label_noise"].map(noise_colour)
    for its, marker, label in (
        (table["fitted"], "o", "a run"),
        (~table["fitted"] & ~diverged, "^", "a run not fitted by then"),
    ):
        for at, epochs, colour in zip(x[its], table["epochs"][its], colours[its], strict=True):
            ax.plot(at, epochs, marker, color=colour, markersize=3.5)
        if its.any():
            ax.plot([], [], marker, color="0.3", markersize=3.5, label=label)
    mark_diverged(x[diverged], table["epochs"][diverged], colours[diverged], ax)
    ax.set(xlabel="label noise (share of labels redrawn)", ylabel="epochs to fit", ylim=(0, None))
    ax.legend(title=None)
    return ax


def _side_by_side(table: pd.DataFrame) -> pd.Series:
    """Return where each run is drawn: runs of one level side by side, and none is hidden."""
    levels = table["data.label_noise"]
    place, number = table.groupby(levels).cumcount(), levels.map(levels.value_counts())
    apart = levels.drop_duplicates().sort_values().diff().min()
    found: pd.Series = levels + (place - (number - 1) / 2) * 0.6 * apart / number
    return found


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
    band="Line: median over seeds, where at least half of the runs fitted; dot: a run, those "
    "of a level side by side; triangle: a run that had not fitted when its training ended; cross: "
    "a run that diverged, at the epoch at which its training would have ended",
)
