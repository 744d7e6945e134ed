"""Test accuracy by epoch at each label noise, with its early peak (Arpit et al. 2017, figure 7).

Arpit, Jastrzebski, Ballas, Krueger, Bengio and others (2017), "A closer look at memorization in
deep networks".
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from reports.figures import Figure, complete, evenly
from reports.figures.marks import legend_beside, line_styles, mark_ends
from reports.figures.memorization import over_noise
from reports.read import Records
from reports.style import noise_colour

MOST_LEVELS = 6


def data(records: Records) -> pd.DataFrame:
    """Return the mean test accuracy by label noise and epoch, up to the first run that stopped."""
    runs = over_noise(records, records.runs)
    if runs["data.label_noise"].nunique() < 2:
        return pd.DataFrame()
    levels = sorted(runs["data.label_noise"].unique())
    runs = runs[runs["data.label_noise"].isin(evenly(levels, MOST_LEVELS))]
    table = records.history.merge(runs[["run", "data.label_noise"]], on="run")
    whole = complete(table, ["data.label_noise"], "test_accuracy")
    grouped = whole.groupby(["data.label_noise", "epoch"])["test_accuracy"]
    found = grouped.agg(["mean", "std", "count"]).reset_index()
    found.attrs["runs"] = list(runs["run"])
    return found.rename(columns={"data.label_noise": "label_noise", "mean": "test_accuracy"})


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw a line a level, with a dot at its highest point."""
    ax = ax or plt.gca()
    table = data(records)
    styles = line_styles({level: noise_colour(level) for level in table["label_noise"].unique()})
    for number, (level, style) in enumerate(styles.items()):
        curve = table[table["label_noise"] == level]
        ax.plot(curve["epoch"], curve["test_accuracy"], label=f"{level:g}", **style)
        top = curve.nlargest(1, "test_accuracy")
        size = 7 - 4 * number / max(1, len(styles) - 1)  # a smaller dot is seen upon a larger
        dot = {"color": style["color"], "markersize": size, "zorder": 3}
        ax.plot(top["epoch"], top["test_accuracy"], "o", **dot)
    ax.plot([], [], "o", color="0.3", markersize=5, label="highest")
    runs = records.runs[records.runs["run"].isin(table.attrs["runs"])]
    history = records.history.merge(runs[["run", "data.label_noise"]], on="run")
    mark_ends(records, history, "test_accuracy", history["data.label_noise"].map(noise_colour), ax)
    ax.set(xlabel="epoch", ylabel="test accuracy", ylim=(0, 1))
    legend_beside(ax, "label noise")
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
    band="Line: mean over seeds, up to the first epoch at which one of them stopped or diverged, "
    "higher levels thinner so that coinciding lines are seen; dot: the line's highest point; "
    "cross: a run that diverged",
)
