"""Training cross-entropy by loss and backward rule of softmax, a curve a seed."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from reports.figures import Figure, few
from reports.metrics import last_epochs
from reports.read import Records
from reports.style import COLOURS, DASHES

SINGLE = "run"


def data(records: Records) -> pd.DataFrame:
    """Return training cross-entropy by epoch of the study with most backward rules."""
    rules = records.runs.groupby("study")["model.backward"].nunique()
    if rules.max() < 2:
        return pd.DataFrame()
    runs = records.runs[records.runs["study"] == rules.idxmax()]
    table = records.history.merge(runs[["run", "model.loss", "model.backward"]], on="run")
    columns = ["run", "seed", "epoch", "model.loss", "model.backward", "train_cross_entropy"]
    names = {"model.loss": "loss", "model.backward": "backward rule"}
    return table[columns].dropna().rename(columns=names)


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw medians over seeds, colours for rules and dashes for losses, and every seed faintly."""
    ax = curves(data(records), "train_cross_entropy", ax or plt.gca())
    ax.set(yscale="log", ylabel="training cross-entropy (nats)")
    return ax


def curves(table: pd.DataFrame, metric: str, ax: Axes) -> Axes:
    """Draw a metric against epoch by rule and loss: medians, and every seed faintly."""
    rules, losses = sorted(table["backward rule"].unique()), sorted(table["loss"].unique())
    common = {
        "x": "epoch",
        "y": metric,
        "hue": "backward rule",
        "style": "loss",
        "palette": dict(zip(rules, COLOURS, strict=False)),
        "dashes": dict(zip(losses, DASHES, strict=False)),
        "hue_order": list(table["backward rule"].unique()),
        "style_order": list(table["loss"].unique()),
        "ax": ax,
    }
    faint = {"linewidth": 0.4, "alpha": 0.3, "legend": False}
    sns.lineplot(few(table, SINGLE), **common, units="run", estimator=None, **faint)
    medians = table.groupby(["backward rule", "loss", "epoch"], sort=False)[metric].median()
    sns.lineplot(medians.reset_index(), **common, estimator=None)
    ax.set(xlabel="epoch")
    sns.move_legend(ax, "upper left", bbox_to_anchor=(1.0, 1.0), title=None)
    return ax


def alt(records: Records) -> str:
    """Describe the figure."""
    table = data(records)
    ends = last_epochs(table).groupby(["loss", "backward rule"])["train_cross_entropy"].median()
    parts = [f"{loss} with {rule}: {end:.3g}" for loss, rule, end in ends.reset_index().to_numpy()]
    return (
        "Training cross-entropy against epoch for each loss and backward rule. Medians at the end: "
        + "; ".join(parts)
        + "."
    )


FIGURE = Figure(__doc__, data, draw, alt, needs="a study that varies model.backward", single=SINGLE)
