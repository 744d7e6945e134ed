"""Training cross-entropy by loss and backward rule of softmax, a curve a seed."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from reports.arm_styles import RULES
from reports.figures import Figure, few, thinned
from reports.grouping import alike
from reports.metrics import last_epochs
from reports.read import Records
from reports.style import COLOURS, linestyle
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
    ax = curves(data(records), "train_cross_entropy", ax or plt.gca())
    ax.set(yscale="log", ylabel="training cross-entropy (nats)")
    return ax


def curves(table: pd.DataFrame, metric: str, ax: Axes) -> Axes:
    """Draw a metric against epoch by rule and loss: medians, and every seed faintly.

    Later lines are thinner, so that a line is seen below another that it coincides with.
    """
    pairs = table[["loss", "backward rule"]].drop_duplicates().to_numpy().tolist()
    arms: list[tuple[str, str]] = sorted((str(loss), str(rule)) for loss, rule in pairs)
    losses = list(dict.fromkeys(loss for loss, _ in arms))
    singles = thinned(few(table, SINGLE))
    for number, (loss, rule) in enumerate(arms):
        colour = RULES.get(rule, COLOURS[4 + number % 4])
        dashes = linestyle(losses.index(loss))
        its = singles[(singles["loss"] == loss) & (singles["backward rule"] == rule)]
        for _, run in its.groupby("run"):
            ax.plot(run["epoch"], run[metric], color=colour, linewidth=0.4, alpha=0.35)
        its = table[(table["loss"] == loss) & (table["backward rule"] == rule)]
        median = its.groupby("epoch")[metric].median()
        thick = 0.8 + 3.2 * (len(arms) - 1 - number) / max(1, len(arms) - 1)
        name = f"{loss.replace('_', ' ')}, {rule}"
        ax.plot(median, color=colour, linestyle=dashes, linewidth=thick, label=name)
    ax.set(xlabel="epoch")
    ax.legend(title="loss, backward rule", loc="upper left", bbox_to_anchor=(1.0, 1.0))
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
    "Line: median over seeds, later arms thinner so that coinciding lines are seen; faint lines: "
    "single runs"
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
