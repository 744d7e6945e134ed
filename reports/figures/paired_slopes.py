"""Test accuracy with and without the softmax gradient, the same seed joined by a line."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from reports.arm_styles import rule_colour
from reports.figures import Figure, few
from reports.figures.loss_backward import over_rules
from reports.figures.marks import diverged_of, mark_diverged
from reports.read import Records
from reports.style import MARKERS, linestyle

SINGLE = "seed"
RULES = ("jacobian", "identity")
APART = 0.06  # of two losses, so that neither hides the other


def data(records: Records) -> pd.DataFrame:
    """Return final test accuracy by seed, loss and rule, where a seed has both rules."""
    runs = records.runs[records.runs["model.backward"].isin(RULES)]
    runs = over_rules(records, runs)
    if runs["model.backward"].nunique() < len(RULES):
        return pd.DataFrame()
    runs = runs.assign(
        test_accuracy=runs["run"].map(records.values("test_accuracy", "last")),
        diverged=runs["run"].isin(diverged_of(records, runs["run"])),
    )
    both = runs.groupby(["model.loss", "seed"])["model.backward"].transform("nunique")
    runs = runs[both == len(RULES)]
    accuracy, diverged = (
        runs.pivot_table(column, index=["model.loss", "seed"], columns="model.backward")
        for column in ("test_accuracy", "diverged")
    )
    found: pd.DataFrame = accuracy.join((diverged > 0).add_suffix("_diverged")).reset_index()
    found.attrs["runs"] = list(runs["run"])
    return found


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw a line a seed and loss, its ends in the rules' colours; losses side by side."""
    ax = ax or plt.gca()
    table = few(data(records), SINGLE)
    losses = sorted(table["model.loss"].unique())
    beside = APART * table["model.loss"].map(losses.index)
    for index, loss in enumerate(losses):
        line: dict[str, Any] = {"color": "0.4", "linewidth": 0.8, "linestyle": linestyle(index)}
        dot: dict[str, Any] = {"marker": MARKERS[index], "markersize": 3.5}
        its = table["model.loss"] == loss
        for place, ends in zip(beside[its], table.loc[its, list(RULES)].to_numpy(), strict=True):
            ax.plot([place, 1 + place], ends, **line)
            for at, (rule, end) in enumerate(zip(RULES, ends, strict=True)):
                ax.plot(at + place, end, color=rule_colour(rule), **dot)
        ax.plot([], [], label=loss.replace("_", " "), **line, **dot)
    lost = [table[table[f"{rule}_diverged"]] for rule in RULES]
    mark_diverged(
        pd.concat([beside[each.index] + at for at, each in enumerate(lost)], ignore_index=True),
        pd.concat([each[rule] for each, rule in zip(lost, RULES, strict=True)], ignore_index=True),
        pd.Series(
            [rule_colour(r) for r, each in zip(RULES, lost, strict=True) for _ in each.index]
        ),
        ax,
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
    band="Line: one seed, trained with both rules; losses stand side by side; cross: a run that "
    "diverged, which counts with chance",
    single=SINGLE,
)
