"""Share of runs that have not fitted their labels yet, by epoch and label noise (Kaplan-Meier)."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from reports.figures import Figure, evenly
from reports.figures.marks import diverged_of, legend_beside, line_styles, mark_diverged
from reports.figures.memorization import over_noise
from reports.read import Records
from reports.style import noise_colour
from reports.survival import kaplan_meier

MOST_LEVELS = 6


def data(records: Records) -> pd.DataFrame:
    """Return the curve of at most six levels of noise: epoch, share, and its 95% interval.

    A run that diverged has not fitted by the epoch at which its training would have ended.
    """
    stopping = records.runs[records.runs["stop.train_accuracy"].notna()]
    runs = over_noise(records, stopping)
    curves = []
    shown = evenly(sorted(runs["data.label_noise"].unique()), MOST_LEVELS)
    runs = runs[runs["data.label_noise"].isin(shown)]
    for noise, group in runs.groupby("data.label_noise"):
        times = records.measured("epochs_to_fit", "last").loc[group["run"]]
        fitted = ~times["stands_in"].to_numpy(dtype=bool)
        curve = kaplan_meier(times["value"].to_numpy(dtype=float), fitted)
        curves.append(
            pd.DataFrame(curve._asdict()).assign(
                label_noise=noise,
                runs=len(group),
                censored=int((~fitted).sum()),
                diverged=len(diverged_of(records, group["run"])),
            )
        )
    found = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame()
    found.attrs["runs"] = list(runs["run"])
    return found


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw a step curve a label noise, with its band; ticks where runs are censored."""
    ax = ax or plt.gca()
    table = data(records)
    ends = table.groupby("label_noise").tail(1)
    styles = line_styles({level: noise_colour(level) for level in table["label_noise"].unique()})
    for noise, style in styles.items():
        curve = table[table["label_noise"] == noise]
        ax.step(curve["time"], curve["share"], where="post", label=f"{noise:g}", **style)
        ax.fill_between(
            curve["time"],
            curve["low"],
            curve["high"],
            step="post",
            color=style["color"],
            alpha=0.12,
            linewidth=0,
        )
    tick: dict[str, Any] = {"marker": "|", "linestyle": "", "markersize": 8}
    for row in ends[ends["censored"] > 0].to_dict("records"):
        ax.plot(row["time"], row["share"], color=noise_colour(row["label_noise"]), **tick)
    if (table["censored"] > 0).any():
        ax.plot([], [], color="0.3", label="not fitted", **tick)
    lost = ends[ends["diverged"] > 0]
    mark_diverged(lost["time"], lost["share"], lost["label_noise"].map(noise_colour), ax)
    ax.set(
        xlabel="epoch", ylabel="share of runs not fitted yet", ylim=(-0.02, 1.05), xlim=(0, None)
    )
    legend_beside(ax, "label noise")
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
    band="Line: Kaplan-Meier estimate of at most six levels, higher levels thinner so that "
    "coinciding lines are seen; band: its 95 % interval (log-log); tick: runs that had not fitted "
    "when their training ended; cross: some of these diverged",
)
