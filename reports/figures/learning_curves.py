"""Loss on the training and the test set as training goes on, by arm."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from reports.arm_styles import arm_styles
from reports.figures import Figure, complete, few, intervals, thinned
from reports.read import Records

SINGLE = "run"
MOST_ARMS = 6
SETS = {"train": "", "test": (4, 1.5)}


def data(records: Records) -> pd.DataFrame:
    """Return cross-entropy by run, epoch and set, for at most six of the first study's arms."""
    study = records.history["study"].iloc[0]
    history = records.history[records.history["study"] == study]
    keys = [key for key in records.varied.get(study, []) if key in records.runs]
    runs = records.runs[records.runs["study"] == study]
    arms = list((runs.sort_values(keys) if keys else runs)["arm"].unique())
    places = np.linspace(0, len(arms) - 1, min(MOST_ARMS, len(arms))).round().astype(int)
    chosen = [arms[place] for place in places]
    shown = history[history["arm"].isin(chosen)].sort_values(
        "arm", key=lambda arm: arm.map(arms.index), kind="stable"
    )
    table: pd.DataFrame = shown.melt(
        id_vars=["run", "seed", "study", "arm", "epoch"],
        value_vars=["train_cross_entropy", "test_cross_entropy"],
        var_name="set",
        value_name="cross_entropy",
    )
    return table.assign(set=table["set"].str.removesuffix("_cross_entropy"), arms=len(arms))


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw means with 95% bands over seeds, every seed faintly, and where runs diverged."""
    ax = ax or plt.gca()
    table = data(records)
    study = table["study"].iloc[0]
    arms = list(table["arm"].unique())
    colours = {arm: arm_styles(records)[study, arm].colour for arm in arms}
    common: dict[str, Any] = {
        "x": "epoch",
        "y": "cross_entropy",
        "ax": ax,
        "hue": "arm",
        "style": "set",
        "palette": colours,
        "hue_order": arms,
        "dashes": SETS,
    }
    faint = {"units": "run", "estimator": None, "linewidth": 0.4, "alpha": 0.35, "legend": False}
    sns.lineplot(thinned(few(table, SINGLE)), **common, **faint)
    sns.lineplot(complete(table, ["arm", "set"]), **common, **intervals(table, SINGLE))
    mark_diverged(records, table, "cross_entropy", colours, ax)
    ax.set(yscale="log", xlabel="epoch", ylabel="cross-entropy (nats)")
    sns.move_legend(ax, "upper left", bbox_to_anchor=(1.0, 1.0), title=None)
    return ax


def mark_diverged(
    records: Records, table: pd.DataFrame, metric: str, colours: dict[str, str], ax: Axes
) -> None:
    """Draw a cross at the last number of each run that diverged."""
    status = records.runs.set_index("run")["status"]
    lost = table[table["run"].map(status) == "diverged"].dropna(subset=[metric])
    ends = lost.loc[lost.groupby("run")["epoch"].idxmax()]
    for arm, rows in ends.groupby("arm"):
        ax.plot(rows["epoch"], rows[metric], "x", color=colours[str(arm)], label=None)
    if len(ends):
        ax.plot([], [], "x", color="0.3", label="diverged")
        ax.legend()


def alt(records: Records) -> str:
    """Describe the figure."""
    table = data(records)
    last = table.loc[table.groupby(["run", "set"])["epoch"].idxmax()]
    means = last.groupby(["arm", "set"])["cross_entropy"].mean()
    rows = means.reset_index().to_numpy()
    ends = "; ".join(f"{arm}, {which}: {value:.3g}" for arm, which, value in rows)
    shown, arms = table["arm"].nunique(), table["arms"].iloc[0]
    return (
        f"Lines of cross-entropy by epoch for {shown} of the {arms} arms of the study "
        f"{table['study'].iloc[0]}, one an arm and set. They end at {ends} nats."
    )


FIGURE = Figure(
    __doc__,
    data,
    draw,
    alt,
    needs="any study",
    wide=True,
    band="Thick line: mean over seeds, up to the first epoch at which one of them stopped; band: "
    "95 % interval of the mean; faint lines: single runs; cross: a run that diverged",
    single=SINGLE,
)
