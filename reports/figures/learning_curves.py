"""Loss on the training and the test set as training goes on, by arm."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from reports.arm_styles import arm_colours
from reports.figures import Figure, complete, evenly, few, intervals, thinned
from reports.figures.marks import THICK, THIN, legend_beside, mark_ends
from reports.read import Records
from reports.style import MARKERS, linestyle

SINGLE = "run"
MOST_ARMS = 6
SETS = {"train": 0, "test": 1}  # the place of their dashes
MOST_MARKERS = 6  # on a line


def data(records: Records) -> pd.DataFrame:
    """Return cross-entropy by run, epoch and set, for at most six of the first study's arms."""
    study = records.history["study"].iloc[0]
    history = records.history[records.history["study"] == study]
    keys = [key for key in records.varied.get(study, []) if key in records.runs]
    runs = records.runs[records.runs["study"] == study]
    arms = list((runs.sort_values(keys) if keys else runs)["arm"].unique())
    shown = history[history["arm"].isin(evenly(arms, MOST_ARMS))].sort_values(
        "arm", key=lambda arm: arm.map(arms.index), kind="stable"
    )
    table: pd.DataFrame = shown.melt(
        id_vars=["run", "seed", "study", "arm", "epoch"],
        value_vars=["train_cross_entropy", "test_cross_entropy"],
        var_name="set",
        value_name="cross_entropy",
    )
    return table.assign(set=table["set"].str.removesuffix("_cross_entropy"))


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw means with 95% bands over seeds, every seed faintly, and where runs diverged.

    Arms of one colour have different markers, and later arms are thinner, so that a line is seen
    below another that it coincides with.
    """
    ax = ax or plt.gca()
    table = data(records)
    study, arms = table["study"].iloc[0], list(table["arm"].unique())
    colours = {arm: arm_colours(records)[study, arm] for arm in arms}
    for (run_arm, part, _), line in thinned(few(table, SINGLE)).groupby(["arm", "set", "run"]):
        style = {"color": colours[run_arm], "linestyle": linestyle(SETS[str(part)])}
        ax.plot(line["epoch"], line["cross_entropy"], linewidth=0.4, alpha=0.35, **style)
    means = complete(table, ["arm", "set"], "cross_entropy")
    step = max(1, means["epoch"].nunique() // MOST_MARKERS)
    for number, arm in enumerate(arms):
        width = THICK - 1 - number * (THICK - 1 - THIN) / max(1, len(arms) - 1)
        marks = {"marker": MARKERS[number], "markersize": 3 + width, "markeredgecolor": "white"}
        style = {"color": colours[arm], "linewidth": width, "markeredgewidth": 0.4, **marks}
        for part, dashes in SETS.items():
            sns.lineplot(
                means[(means["arm"] == arm) & (means["set"] == part)],
                x="epoch",
                y="cross_entropy",
                linestyle=linestyle(dashes),
                markevery=(number % step, step),
                **intervals(table, SINGLE),
                **style,
                ax=ax,
            )
        ax.plot([], [], label=arm, **style)
    for part, dashes in SETS.items():
        ax.plot([], [], color="0.3", linestyle=linestyle(dashes), label=part)
    mark_ends(records, table, "cross_entropy", table["arm"].map(colours), ax)
    ax.set(yscale="log", xlabel="epoch", ylabel="cross-entropy (nats)")
    legend_beside(ax)
    return ax


def alt(records: Records) -> str:
    """Describe the figure."""
    table = data(records)
    last = table.loc[table.groupby(["run", "set"])["epoch"].idxmax()]
    means = last.groupby(["arm", "set"])["cross_entropy"].mean()
    rows = means.reset_index().to_numpy()
    ends = "; ".join(f"{arm}, {which}: {value:.3g}" for arm, which, value in rows)
    study = table["study"].iloc[0]
    arms = records.runs.loc[records.runs["study"] == study, "arm"].nunique()
    return (
        f"Lines of cross-entropy by epoch for {table['arm'].nunique()} of the {arms} arms of the "
        f"study {study}, one an arm and set. They end at {ends} nats."
    )


FIGURE = Figure(
    __doc__,
    data,
    draw,
    alt,
    needs="any study",
    wide=True,
    band="Thick line: mean over seeds, up to the first epoch at which one of them stopped or "
    "diverged, later arms thinner so that coinciding lines are seen; marker: the arm; band: 95 % "
    "interval of the mean; faint lines: single runs; cross: a run that diverged",
    single=SINGLE,
)
