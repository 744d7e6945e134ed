"""Training loss by epoch on destroyed inputs and random labels (Zhang et al. 2017, figure 1a).

Zhang, Bengio, Hardt, Recht & Vinyals (2017), "Understanding deep learning requires rethinking
generalization".
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports.figures import Figure, complete
from reports.grouping import alike
from reports.read import Records
from reports.style import COLOURS, linestyle

NOISE, INPUTS = "data.label_noise", "data.inputs"


def data(records: Records) -> pd.DataFrame:
    """Return the mean training loss by condition and epoch, up to the first run that stopped.

    The conditions are each kind of inputs with true labels, and, where the same networks were also
    trained so, true inputs with fully random labels.
    """
    groups = alike(records, records.runs, NOISE, INPUTS)
    runs = max(groups, key=lambda group: group[INPUTS].nunique())
    if runs[INPUTS].nunique() < 2:
        return pd.DataFrame()
    true = runs[runs[NOISE] == 0].assign(condition=lambda t: t[INPUTS].str.replace("_", " "))
    random = runs[(runs[NOISE] == 1) & (runs[INPUTS] == "original")]
    shown = pd.concat([true, random.assign(condition="random labels")])
    table = shown[["run", "condition"]].merge(records.history, on="run")
    grouped = complete(table, ["condition"]).groupby(["condition", "epoch"], sort=False)
    found = grouped["train_cross_entropy"].agg(["mean", "std", "count"]).reset_index()
    found.attrs["runs"] = list(shown["run"])
    return found.rename(columns={"mean": "train_cross_entropy"})


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw a line a condition with its band."""
    ax = ax or plt.gca()
    for index, (condition, curve) in enumerate(data(records).groupby("condition", sort=False)):
        colour = COLOURS[index % len(COLOURS)]
        ax.plot(
            curve["epoch"],
            curve["train_cross_entropy"],
            color=colour,
            linestyle=linestyle(index),
            label=str(condition),
        )
        half = 2 * curve["std"] / np.sqrt(curve["count"])
        low, high = curve["train_cross_entropy"] - half, curve["train_cross_entropy"] + half
        ax.fill_between(curve["epoch"], low, high, color=colour, alpha=0.15, linewidth=0)
    ax.set(xlabel="epoch", ylabel="training cross-entropy (nats)", ylim=(0, None))
    ax.legend(title=None)
    return ax


def alt(records: Records) -> str:
    """Describe the figure."""
    parts = [
        f"{condition}: from {curve['train_cross_entropy'].iloc[0]:.3g} to "
        f"{curve['train_cross_entropy'].iloc[-1]:.3g} at epoch {curve['epoch'].iloc[-1]:g}"
        for condition, curve in data(records).groupby("condition", sort=False)
    ]
    return "Mean training cross-entropy by epoch. " + "; ".join(parts) + "."


FIGURE = Figure(
    __doc__,
    data,
    draw,
    alt,
    needs="a study that varies data.inputs",
    band="Line: mean over seeds, up to the first epoch at which one of them stopped; band: two "
    "standard errors of the mean",
)
