"""Spread of test accuracy over seeds: on the test set, and on all images like these.

The second is an unbiased estimate (Jordan, 2023): much of the first is which test images each
network errs on, and says nothing of which network is better.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports.figures import Figure
from reports.read import Records
from reports.style import COLOURS
from reports.two_way import answers, seed_variance
from study.base.text import counted

FEWEST = 3  # seeds


def data(records: Records) -> pd.DataFrame:
    """Return each arm's variance over seeds on its test set, and on all images like these.

    Diverged runs are left out, and arms whose answers on the whole test set were not kept.
    ``on_all_images`` is an estimate without bias, so that it is below 0 about as often as above it
    for an arm whose networks are equally good.
    """
    rows, drawn, lost = [], list[str](), 0
    for (study, arm), runs in records.runs.groupby(["study", "arm"], sort=False):
        ended = runs[runs["status"] != "diverged"]
        right = answers(records, list(ended["run"]))
        if len(right) < FEWEST or right.shape[1] < 2:
            continue
        accuracy = right.mean(axis=1)
        drawn += list(ended["run"])
        lost += len(runs) - len(ended)
        rows.append(
            {
                "study": study,
                "arm": arm,
                "seeds": len(right),
                "diverged": len(runs) - len(ended),
                "images": right.shape[1],
                "mean": accuracy.mean(),
                "on_test_set": accuracy.var(ddof=1),
                "on_all_images": seed_variance(right),
            }
        )
    found = pd.DataFrame(rows)
    found.attrs["runs"] = drawn
    if lost:
        found.attrs["left_out"] = (
            f"{counted(lost, 'run')} of these arms diverged and are not in it."
        )
    return found


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw a point an arm, standard deviations; on the line all of the spread is the networks'.

    An estimate below 0 is drawn at 0, hollow.
    """
    ax = ax or plt.gca()
    table = data(records)
    on_test_set = 100 * np.sqrt(table["on_test_set"])
    beyond = 100 * np.sqrt(table["on_all_images"].clip(lower=0))
    below = table["on_all_images"] < 0
    colour = COLOURS[2]
    ax.scatter(on_test_set[~below], beyond[~below], s=12, color=colour, alpha=0.8, label="an arm")
    if below.any():
        ax.scatter(
            on_test_set[below],
            beyond[below],
            s=12,
            facecolors="none",
            edgecolors=colour,
            label="an arm, estimate below 0",
        )
    top = max(1.1 * on_test_set.max(), 0.01)
    ax.plot([0, top], [0, top], color="0.5", linewidth=0.6, linestyle=":", label="the same")
    ax.set(
        xlabel="sd over seeds on the test set (points)",
        ylabel="sd on all images like these",
        xlim=(0, None),
        ylim=(-0.02 * top, None),
    )
    ax.legend(loc="upper left")
    return ax


def alt(records: Records) -> str:
    """Describe the figure."""
    table = data(records)
    share = table["on_all_images"] / table["on_test_set"].where(table["on_test_set"] > 0)
    return (
        f"Standard deviation of test accuracy over seeds for {len(table)} arms, on the test set "
        "and estimated for all images like these. Of the variance on the test set the median arm "
        f"keeps {share.fillna(0).median():.0%} there; for {(table['on_all_images'] < 0).sum()} "
        "arms the estimate is below 0."
    )


FIGURE = Figure(
    __doc__,
    data,
    draw,
    alt,
    needs="an arm with three seeds and their answers on the test set",
    band="Dot: an arm, standard deviations over its seeds; ring: an estimate below 0, drawn at 0; "
    "dotted: the same on both",
)
