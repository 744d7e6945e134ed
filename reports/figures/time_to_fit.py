"""Share of runs that have not fitted their labels yet, by epoch and label noise (Kaplan-Meier)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports.figures import Figure
from reports.figures.memorization import over_noise
from reports.read import Records
from reports.style import linestyle, noise_colour
from reports.survival import kaplan_meier


def data(records: Records) -> pd.DataFrame:
    """Return the curve of each label noise: epoch, share, and its 95% interval."""
    stopping = records.runs[records.runs["stop.train_accuracy"].notna()]
    runs = over_noise(records, stopping)
    curves = []
    for noise, group in runs.groupby("data.label_noise"):
        fitted = group["epochs_to_fit"].notna().to_numpy()
        times = group["epochs_to_fit"].fillna(group["epochs"]).to_numpy(dtype=float)
        curve = kaplan_meier(times, fitted)
        curves.append(
            pd.DataFrame(curve._asdict()).assign(
                label_noise=noise, runs=len(group), censored=int((~fitted).sum())
            )
        )
    found = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame()
    found.attrs["runs"] = list(runs["run"])
    return found


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw a step curve a label noise, with its band; ticks where runs are censored."""
    ax = ax or plt.gca()
    table = data(records)
    levels = list(table["label_noise"].unique())
    shown = [
        levels[index] for index in np.unique(np.linspace(0, len(levels) - 1, 6).round().astype(int))
    ]
    for index, noise in enumerate(shown):
        curve = table[table["label_noise"] == noise]
        colour = noise_colour(noise)
        ax.step(
            curve["time"],
            curve["share"],
            where="post",
            color=colour,
            linestyle=linestyle(index),
            label=f"{noise:g}",
        )
        ax.fill_between(
            curve["time"],
            curve["low"],
            curve["high"],
            step="post",
            color=colour,
            alpha=0.12,
            linewidth=0,
        )
        if curve["censored"].iloc[0]:
            ax.plot(
                curve["time"].iloc[-1], curve["share"].iloc[-1], "|", color=colour, markersize=8
            )
    if (table["censored"] > 0).any():
        ax.plot([], [], "|", color="0.3", markersize=8, label="not fitted")
    ax.set(
        xlabel="epoch", ylabel="share of runs not fitted yet", ylim=(-0.02, 1.05), xlim=(0, None)
    )
    ax.legend(title="label noise", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


def alt(records: Records) -> str:
    """Describe the figure."""
    table = data(records)
    parts = []
    for noise, curve in table.groupby("label_noise"):
        half = curve[curve["share"] <= 0.5]
        when = f"by epoch {half['time'].iloc[0]:g}" if len(half) else "not within the training"
        parts.append(f"noise {noise:g}: half of the runs fit {when}")
    return (
        "Step curves of the share of runs not fitted yet against epoch. " + "; ".join(parts) + "."
    )


FIGURE = Figure(
    __doc__,
    data,
    draw,
    alt,
    needs="runs that stop once they fit (stop.train_accuracy)",
    band="Line: Kaplan-Meier estimate of at most six levels; band: its 95 % interval (log-log); "
    "tick: runs that had not fitted when their training ended",
)
