"""Training loss by epoch on destroyed inputs and random labels (Zhang et al. 2017, figure 1a).

Zhang, Bengio, Hardt, Recht & Vinyals (2017), "Understanding deep learning requires rethinking
generalization".
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports.arm_styles import condition_colour
from reports.figures import Figure, complete
from reports.figures.marks import line_styles, mark_ends
from reports.grouping import alike
from reports.read import Records

NOISE, INPUTS = "data.label_noise", "data.inputs"


def data(records: Records) -> pd.DataFrame:
    """Return the mean training loss by condition and epoch, up to the first run that stopped.

    The conditions are each kind of inputs with true labels, and, where the same networks were also
    trained so, true inputs with fully random labels.
    """
    shown = _runs(records)
    if shown.empty:
        return pd.DataFrame()
    table = shown[["run", "condition"]].merge(records.history, on="run")
    whole = complete(table, ["condition"], "train_cross_entropy")
    grouped = whole.groupby(["condition", "epoch"], sort=False)
    found = grouped["train_cross_entropy"].agg(["mean", "std", "count"]).reset_index()
    found.attrs["runs"] = list(shown["run"])
    return found.rename(columns={"mean": "train_cross_entropy"})


def _runs(records: Records) -> pd.DataFrame:
    """Return the runs to show with their ``condition`` and its colour."""
    groups = alike(records, records.runs[records.runs[NOISE].isin([0, 1])], NOISE, INPUTS)
    runs = max(groups, key=lambda group: group[INPUTS].nunique(), default=records.runs)
    true = runs[runs[NOISE] == 0].assign(condition=lambda t: t[INPUTS].str.replace("_", " "))
    if true[INPUTS].nunique() < 2:
        return pd.DataFrame()
    random = runs[(runs[NOISE] == 1) & (runs[INPUTS] == "original")]
    shown = pd.concat([true, random.assign(condition="random labels")])
    colours = [condition_colour(*each) for each in shown[[INPUTS, NOISE]].to_numpy().tolist()]
    return shown.assign(colour=colours)


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw a line a condition with its band."""
    ax = ax or plt.gca()
    table, runs = data(records), _runs(records).set_index("run")[["condition", "colour"]]
    styles = line_styles(dict(runs.drop_duplicates().itertuples(index=False)))
    for condition, style in styles.items():
        curve = table[table["condition"] == condition]
        ax.plot(curve["epoch"], curve["train_cross_entropy"], label=condition, **style)
        half = 2 * curve["std"] / np.sqrt(curve["count"])
        low, high = curve["train_cross_entropy"] - half, curve["train_cross_entropy"] + half
        ax.fill_between(curve["epoch"], low, high, color=style["color"], alpha=0.15, linewidth=0)
    history = records.history[records.history["run"].isin(runs.index)]
    mark_ends(records, history, "train_cross_entropy", history["run"].map(runs["colour"]), ax)
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
    band="Line: mean over seeds, up to the first epoch at which one of them stopped or "
    "diverged, later lines thinner so that coinciding lines are seen; band: two standard errors of "
    "the mean; cross: a run that diverged; inputs are destroyed under true labels, and random "
    "labels are those of inputs as they are",
)
