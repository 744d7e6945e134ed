"""Train and test accuracy at each run's end, against label noise."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from reports.figures import Figure, few, intervals
from reports.figures.marks import diverged_of, legend_beside, mark_diverged
from reports.grouping import alike
from reports.read import Records
from reports.style import COLOURS, DASHES, MARKERS

SINGLE = "run"

KINDS = {
    "train_accuracy": "train, labels as given",
    "test_accuracy": "test, true labels",
    "test_noisy_accuracy": "test, labels as noisy",
}


def data(records: Records) -> pd.DataFrame:
    """Return accuracies at the last epoch by run and label noise."""
    runs = over_noise(records, records.runs)
    if runs["data.label_noise"].nunique() < 2:
        return pd.DataFrame()
    values = {name: records.values(metric, "last") for metric, name in KINDS.items()}
    keys = ["run", "seed", "data.label_noise"]
    wide = runs[keys].assign(**{name: runs["run"].map(each) for name, each in values.items()})
    return wide.melt(keys, var_name="set", value_name="accuracy")


def over_noise(records: Records, runs: pd.DataFrame) -> pd.DataFrame:
    """Return those runs, inputs as they are, that differ in label noise and seed alone.

    Of several such groups the one with most levels of noise.
    """
    runs = runs[runs["data.inputs"] == "original"]
    groups = alike(records, runs, "data.label_noise")
    return max(groups, key=lambda group: group["data.label_noise"].nunique(), default=runs)


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw means with 95% bars over seeds, and every run faintly."""
    ax = ax or plt.gca()
    table = data(records)
    names = list(KINDS.values())
    colours = dict(zip(names, COLOURS, strict=False))
    markers, dashes = (dict(zip(names, each, strict=False)) for each in (MARKERS, DASHES))
    sns.lineplot(
        table,
        x="data.label_noise",
        y="accuracy",
        hue="set",
        style="set",
        palette=colours,
        markers=markers,
        dashes=dashes,
        err_style="bars",
        **intervals(table, SINGLE),
        ax=ax,
    )
    dot: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 2.5, "alpha": 0.5}
    for name, its in few(table, SINGLE).groupby("set"):
        ax.plot(its["data.label_noise"], its["accuracy"], color=colours[str(name)], **dot)
    ax.plot([], [], color="0.3", label="a run", **dot)
    lost = table[table["run"].isin(diverged_of(records, table["run"]))]
    mark_diverged(lost["data.label_noise"], lost["accuracy"], lost["set"].map(colours), ax)
    ax.axhline(0.1, color="0.45", linewidth=0.8, linestyle=":", label="chance")
    ax.set(xlabel="label noise (share of labels redrawn)", ylabel="accuracy", ylim=(0, 1.05))
    legend_beside(ax)
    return ax


def alt(records: Records) -> str:
    """Describe the figure."""
    means = data(records).groupby(["set", "data.label_noise"])["accuracy"].mean()
    parts = []
    for name in KINDS.values():
        line = means[name]
        parts.append(
            f"{name}: {line.iloc[0]:.2f} at noise {line.index[0]:g}, {line.iloc[-1]:.2f} at "
            f"{line.index[-1]:g}"
        )
    return "Accuracy at the end of training against label noise. " + "; ".join(parts) + "."


FIGURE = Figure(
    __doc__,
    data,
    draw,
    alt,
    needs="a study that varies data.label_noise, with inputs as they are",
    wide=True,
    band="Line: mean over seeds; bar: its 95 % interval; small dot: a run; cross: a run that "
    "diverged, which counts with chance; dotted: chance",
    single=SINGLE,
)
