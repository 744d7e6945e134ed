"""Training cross-entropy by loss and backward rule of softmax, a curve a seed."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from reports.arm_styles import arm_colours
from reports.figures import Figure, complete, few, thinned
from reports.figures.marks import legend_beside, line_styles, mark_ends
from reports.grouping import alike
from reports.metrics import last_epochs
from reports.read import Records
from study.runs.settings import Optimizer

SINGLE = "run"


def data(records: Records) -> pd.DataFrame:
    """Return training cross-entropy by epoch of the runs that `over_rules` chooses."""
    runs = over_rules(records, records.runs)
    if runs["model.backward"].nunique() < 2:
        return pd.DataFrame()
    table = records.history.merge(runs[["run", "model.loss", "model.backward"]], on="run")
    columns = ["run", "seed", "epoch", "model.loss", "model.backward", "train_cross_entropy"]
    names = {"model.loss": "loss", "model.backward": "backward rule"}
    return table[columns].dropna().rename(columns=names)


def over_rules(records: Records, runs: pd.DataFrame) -> pd.DataFrame:
    """Return those runs that differ in seed, loss and backward rule alone.

    Of several such groups one that has both the Jacobian and the identity rule, then one with most
    losses and rules, and at last one at the default learning rate.
    """
    groups = alike(records, runs, "model.loss", "model.backward", by="study")

    def rank(group: pd.DataFrame) -> tuple[bool, int, int, bool]:
        rules = set(group["model.backward"])
        arms = group.drop_duplicates(["model.loss", "model.backward"])
        usual = bool((group["optimizer.lr"] == Optimizer().values()["lr"]).all())
        both = {"jacobian", "identity"} <= rules
        return both, group["model.loss"].nunique(), len(arms), usual

    return max(groups, key=rank, default=runs)


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw medians over seeds, colours for rules and dashes for losses, and every seed faintly."""
    ax = curves(records, data(records), "train_cross_entropy", ax or plt.gca())
    ax.set(yscale="log", ylabel="training cross-entropy (nats)")
    return ax


def curves(records: Records, table: pd.DataFrame, metric: str, ax: Axes) -> Axes:
    """Draw a metric against epoch by rule and loss: medians, and every seed faintly."""
    arm_of = records.runs.set_index("run")[["study", "arm"]].apply(tuple, axis=1)
    colours = table["run"].map(arm_of).map(arm_colours(records))
    arms = ["loss", "backward rule"]
    first = table.assign(colour=colours).sort_values(arms).drop_duplicates(arms)
    named = dict(
        zip(zip(first["loss"], first["backward rule"], strict=True), first["colour"], strict=True)
    )
    for _, run in thinned(few(table, SINGLE)).groupby("run"):
        colour = colours.loc[run.index[0]]
        ax.plot(run["epoch"], run[metric], color=colour, linewidth=0.4, alpha=0.35)
    medians = complete(table, arms, metric).groupby([*arms, "epoch"])[metric].median()
    for (loss, rule), style in line_styles(named).items():
        ax.plot(medians[loss, rule], label=f"{loss.replace('_', ' ')}, {rule}", **style)
    mark_ends(records, table, metric, colours, ax)
    ax.set(xlabel="epoch")
    legend_beside(ax, "loss, backward rule")
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


BAND = (
    "Line: median over seeds, up to the first epoch at which one of them stopped or diverged, "
    "later arms thinner so that coinciding lines are seen; faint lines: single runs; "
    "cross: a run that diverged"
)
FIGURE = Figure(
    __doc__,
    data,
    draw,
    alt,
    needs="a study that varies model.backward",
    wide=True,
    band=BAND,
    single=SINGLE,
)
