"""Test accuracy by epoch at each label noise, with its early peak (Arpit et al. 2017, figure 7).

Arpit, Jastrzebski, Ballas, Krueger, Bengio and others (2017), "A closer look at memorization in
deep networks".
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports.figures import Figure, complete
from reports.figures.memorization import over_noise
from reports.read import Records
from reports.style import linestyle, noise_colour

MOST_LEVELS = 6


def data(records: Records) -> pd.DataFrame:
    """Return the mean test accuracy by label noise and epoch, up to the first run that stopped."""
    runs = over_noise(records, records.runs)
    if runs["data.label_noise"].nunique() < 2:
        return pd.DataFrame()
    levels = np.sort(runs["data.label_noise"].unique())
    places = np.linspace(0, len(levels) - 1, min(MOST_LEVELS, len(levels))).round().astype(int)
    runs = runs[runs["data.label_noise"].isin(levels[places])]
    table = records.history.merge(runs[["run", "data.label_noise"]], on="run")
    whole = complete(table, ["data.label_noise"])
    grouped = whole.groupby(["data.label_noise", "epoch"])["test_accuracy"]
    found = grouped.agg(["mean", "std", "count"]).reset_index()
    found.attrs["runs"] = list(runs["run"])
    return found.rename(columns={"data.label_noise": "label_noise", "mean": "test_accuracy"})


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw a line a level, with a dot at its highest point."""
    ax = ax or plt.gca()
    table = data(records)
    for index, level in enumerate(table["label_noise"].unique()):
        curve, colour = table[table["label_noise"] == level], noise_colour(float(level))
        ax.plot(
            curve["epoch"],
            curve["test_accuracy"],
            color=colour,
            linestyle=linestyle(index),
            label=f"{level:g}",
        )
        top = curve.nlargest(1, "test_accuracy")
        ax.plot(top["epoch"], top["test_accuracy"], "o", color=colour, markersize=4)
    ax.plot([], [], "o", color="0.3", markersize=4, label="highest")
    ax.set(xlabel="epoch", ylabel="test accuracy", ylim=(0, 1))
    ax.legend(title="label noise", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


def alt(records: Records) -> str:
    """Describe the figure."""
    parts = []
    for level, curve in data(records).groupby("label_noise"):
        top = curve.nlargest(1, "test_accuracy")
        parts.append(
            f"noise {level:g}: {top['test_accuracy'].iloc[0]:.3f} at epoch "
            f"{top['epoch'].iloc[0]:g}, "
            f"{curve['test_accuracy'].iloc[-1]:.3f} at the end"
        )
    return "Highest mean test accuracy by label noise. " + "; ".join(parts) + "."


FIGURE = Figure(
    __doc__,
    data,
    draw,
    alt,
    needs="a study that varies data.label_noise, with inputs as they are",
    band="Line: mean over seeds, up to the first epoch at which one of them stopped; dot: the "
    "line's highest point",
)
