"""Test accuracy with and without the softmax gradient, the same seed joined by a line."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from reports.figures import Figure, few
from reports.figures.loss_backward import over_rules
from reports.read import Records
from reports.style import COLOURS, MARKERS, linestyle

SINGLE = "seed"
RULES = ("jacobian", "identity")


def data(records: Records) -> pd.DataFrame:
    """Return final test accuracy by seed, loss and rule, where a seed has both rules."""
    runs = records.runs[records.runs["model.backward"].isin(RULES)]
    runs = over_rules(records, runs)
    if runs["model.backward"].nunique() < len(RULES):
        return pd.DataFrame()
    accuracy = runs.assign(test_accuracy=runs["run"].map(records.values("test_accuracy", "last")))
    wide = accuracy.pivot_table(
        index=["model.loss", "seed"], columns="model.backward", values="test_accuracy"
    ).dropna()
    found: pd.DataFrame = wide.reset_index()
    found.attrs["runs"] = list(runs["run"])
    return found


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw a line a seed and loss."""
    ax = ax or plt.gca()
    for index, (loss, group) in enumerate(few(data(records), SINGLE).groupby("model.loss")):
        for number, row in enumerate(group.to_dict("records")):
            ax.plot(
                range(len(RULES)),
                [row[rule] for rule in RULES],
                color=COLOURS[index],
                marker=MARKERS[index],
                markersize=3,
                alpha=0.6,
                linewidth=0.8,
                linestyle=linestyle(index),
                label=str(loss).replace("_", " ") if number == 0 else None,
            )
    ax.set(xticks=range(len(RULES)), xlim=(-0.25, 1.25), ylabel="test accuracy", ylim=(0, 1))
    ax.set_xticklabels(["multiplied in\n(jacobian)", "left out\n(identity)"])
    ax.legend(title="a seed, by loss")
    return ax


def alt(records: Records) -> str:
    """Describe the figure."""
    parts = []
    for loss, group in data(records).groupby("model.loss"):
        better = int((group["identity"] > group["jacobian"]).sum())
        parts.append(f"{loss}: higher without the gradient in {better} of {len(group)} seeds")
    return (
        "Test accuracy of each seed with and without the softmax gradient. "
        + "; ".join(parts)
        + "."
    )


FIGURE = Figure(
    __doc__,
    data,
    draw,
    alt,
    needs="a study with the backward rules jacobian and identity",
    band="Line: one seed, trained with both rules",
    single=SINGLE,
)
