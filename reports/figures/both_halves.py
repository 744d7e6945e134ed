"""Training loss against test loss on random labels, each as a share of its start, epoch by epoch.

The source claims that the training loss ends almost at 0 while the test loss stays where it began.
Both at once would be a line through the band's lower left corner.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from reports.figures import Figure, few
from reports.figures.marks import mark_ends
from reports.grouping import alike
from reports.read import Records
from reports.style import COLOURS

# Of claims.yaml's random-test-loss-stays and random-train-loss-almost-zero.
BAND, SMALL = 0.05, 0.01
SINGLE = "run"


def data(records: Records) -> pd.DataFrame:
    """Return both losses as shares of their start, a row an epoch, of inputs as they are.

    Of several groups of runs that differ in their seed alone, the one that was trained longest.

    ``inside`` marks each run's last epoch at which the test loss is within 5 % of its start.
    """
    runs = records.runs
    runs = runs[(runs["data.label_noise"] == 1) & (runs["data.inputs"] == "original")]
    if runs.empty:
        return pd.DataFrame()
    longest = max(alike(records, runs), key=lambda group: float(group["epochs"].mean()))
    history = records.history[records.history["run"].isin(longest["run"])]
    table = history[["run", "seed", "epoch"]].copy()
    for name in ("train", "test"):
        loss = history.set_index("run")[f"{name}_cross_entropy"]
        starts = loss[(history["epoch"] == 0).to_numpy()]
        table[name] = loss.to_numpy() / starts.loc[history["run"]].to_numpy()
    within = table[table["test"].between(1 - BAND, 1 + BAND)]
    last = within.groupby("run")["epoch"].max()
    return table.assign(inside=table["epoch"] == table["run"].map(last)).reset_index(drop=True)


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw a line a seed, the band, and a point where each leaves it for good."""
    ax = ax or plt.gca()
    table = data(records)
    for number, (_, line) in enumerate(few(table, SINGLE).groupby("run")):
        name = None if number else "a run"
        ax.plot(line["test"], line["train"], color=COLOURS[2], alpha=0.5, linewidth=0.7, label=name)
    left = table[table["inside"]]
    ax.plot(
        left["test"], left["train"], "o", color=COLOURS[4], markersize=3, label="leaves the band"
    )
    mark_ends(records, table, "train", pd.Series(COLOURS[2], table.index), ax, x="test")
    ax.axvspan(1 - BAND, 1 + BAND, color=COLOURS[5], alpha=0.2, linewidth=0, label="within 5 %")
    ax.axhline(SMALL, color=COLOURS[0], linestyle=":", label="1 %")
    ax.set(
        yscale="log",
        xlabel="test loss (share of its start)",
        ylabel="training loss (share of its start)",
    )
    ax.legend(loc="upper right")
    return ax


def alt(records: Records) -> str:
    """Describe the figure."""
    table = data(records)
    left, last = table[table["inside"]], table.loc[table.groupby("run")["epoch"].idxmax()]
    low, high = 100 * left["train"].min(), 100 * left["train"].max()
    return (
        f"A line for each of {table['run'].nunique()} runs on random labels. The test loss is "
        f"within 5 % of its start up to epoch {left['epoch'].min()} to {left['epoch'].max()}, when "
        f"the training loss is at {low:.3g} to {high:.3g} % of its own. At the end the training "
        f"loss is at {100 * last['train'].median():.2g} % and the test loss at "
        f"{100 * last['test'].median():.3g} % of their starts (medians)."
    )


FIGURE = Figure(
    __doc__,
    data,
    draw,
    alt,
    needs="runs on random labels (data.label_noise: 1)",
    band="Line: a run, epoch by epoch; dot: its last epoch within the band; band: a test loss "
    "within 5 % of its start; dotted: a training loss of 1 % of its start; cross: a run that "
    "diverged",
    single=SINGLE,
)
