"""Loss on the training and the test set as training goes on, by arm."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from reports.figures import Figure, few, intervals
from reports.read import Records
from reports.style import palette

SINGLE = "run"


def data(records: Records) -> pd.DataFrame:
    """Return cross-entropy by run, epoch and set, for the first study's arms."""
    history = records.history[records.history["study"] == records.history["study"].iloc[0]]
    arms = list(history["arm"].unique())
    shown = history[history["arm"].isin(arms[:: max(1, len(arms) // 5)])]
    table: pd.DataFrame = shown.melt(
        id_vars=["run", "seed", "arm", "epoch"],
        value_vars=["train_cross_entropy", "test_cross_entropy"],
        var_name="set",
        value_name="cross_entropy",
    )
    return table.assign(set=table["set"].str.removesuffix("_cross_entropy"))


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw means with 95% bands over seeds, and every seed faintly."""
    ax = ax or plt.gca()
    table = data(records)
    colours = palette(list(table["arm"].unique()))
    common = {
        "x": "epoch",
        "y": "cross_entropy",
        "ax": ax,
        "hue": "arm",
        "style": "set",
        "palette": colours,
        "hue_order": list(colours),
        "style_order": ["train", "test"],
    }
    sns.lineplot(
        few(table, SINGLE),
        **common,
        units="run",
        estimator=None,
        linewidth=0.4,
        alpha=0.3,
        legend=False,
    )
    sns.lineplot(table, **common, **intervals(table, SINGLE))
    ax.set(yscale="log", xlabel="epoch", ylabel="cross-entropy (nats)")
    sns.move_legend(ax, "upper left", bbox_to_anchor=(1.0, 1.0), title=None)
    return ax


def alt(records: Records) -> str:
    """Describe the figure."""
    table = data(records)
    last = table.loc[table.groupby(["run", "set"])["epoch"].idxmax()]
    means = last.groupby(["arm", "set"])["cross_entropy"].mean()
    rows = means.reset_index().to_numpy()
    ends = "; ".join(f"{arm}, {which}: {value:.3g}" for arm, which, value in rows)
    return f"Lines of cross-entropy by epoch, one an arm and set. They end at {ends} nats."


FIGURE = Figure(__doc__, data, draw, alt, needs="any study", wide=True, single=SINGLE)
