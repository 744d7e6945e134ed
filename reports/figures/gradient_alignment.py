"""Cosine between what the backward rule sends to the logits and the true gradient."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from reports.figures import Figure, loss_backward
from reports.read import Records, exact_gradient

SINGLE = loss_backward.SINGLE


def data(records: Records) -> pd.DataFrame:
    """Return the cosine by epoch, run, loss and rule."""
    table = loss_backward.data(records)
    if table.empty:
        return table
    exact = exact_gradient(records.history).add_prefix("gradient_exact_")
    shown = records.history[["run", "epoch", "gradient_norm"]].join(exact)
    return table.merge(shown, on=["run", "epoch"]).dropna(subset=["gradient_exact_cosine"])


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw medians over seeds, and every seed faintly."""
    ax = loss_backward.curves(records, data(records), "gradient_exact_cosine", ax or plt.gca())
    ax.set(ylabel="cosine with the true gradient", ylim=(-0.05, 1.08))
    return ax


def alt(records: Records) -> str:
    """Describe the figure."""
    table = data(records)
    medians = table.groupby(["loss", "backward rule"])["gradient_exact_cosine"].median()
    table = medians.reset_index(name="median")
    parts = [f"{loss} with {rule}: {value:.3g}" for loss, rule, value in table.to_numpy()]
    return "Cosine against epoch. Medians: " + "; ".join(parts) + "."


FIGURE = Figure(
    __doc__,
    data,
    draw,
    alt,
    needs=loss_backward.FIGURE.needs,
    wide=True,
    band=loss_backward.BAND,
    single=SINGLE,
)
