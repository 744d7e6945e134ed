"""Cosine between what the backward rule sends to the logits and the true gradient."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from reports.figures import loss_backward
from reports.read import Records
from reports.style import COLOURS, DASHES

NEEDS = loss_backward.NEEDS
WIDE = False


def data(records: Records) -> pd.DataFrame:
    """Return the cosine by epoch, run, loss and rule."""
    table = loss_backward.data(records)
    if table.empty:
        return table
    cosine = records.history[
        ["run", "epoch", "gradient_cosine", "gradient_norm", "gradient_true_norm"]
    ]
    return table.merge(cosine, on=["run", "epoch"]).dropna(subset=["gradient_cosine"])


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw medians over seeds, and every seed faintly."""
    ax = ax or plt.gca()
    table = data(records)
    rules = sorted(table["backward rule"].unique())
    losses = sorted(table["loss"].unique())
    common = {
        "data": table,
        "x": "epoch",
        "y": "gradient_cosine",
        "hue": "backward rule",
        "style": "loss",
        "palette": dict(zip(rules, COLOURS, strict=False)),
        "dashes": dict(zip(losses, DASHES, strict=False)),
        "ax": ax,
    }
    sns.lineplot(**common, units="run", estimator=None, linewidth=0.4, alpha=0.3, legend=False)
    sns.lineplot(**common, estimator="median", errorbar=None)
    ax.set(xlabel="epoch", ylabel="cosine with the true gradient", ylim=(-0.05, 1.08))
    sns.move_legend(ax, "upper left", bbox_to_anchor=(1.0, 1.0), title=None)
    return ax


def alt(records: Records) -> str:
    """Describe the figure."""
    table = data(records)
    medians = table.groupby(["loss", "backward rule"])["gradient_cosine"].median()
    table = medians.reset_index(name="median")
    parts = [f"{loss} with {rule}: {value:.3g}" for loss, rule, value in table.to_numpy()]
    return "Cosine against epoch. Medians: " + "; ".join(parts) + "."
