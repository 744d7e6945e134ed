"""Spread of test accuracy over seeds, against what the test set's size alone would give."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports.figures import Figure
from reports.read import Records, tested_on
from reports.style import COLOURS


def data(records: Records) -> pd.DataFrame:
    """Return each arm's standard deviation over seeds, and its test set's binomial one."""
    accuracy = records.values("test_accuracy", "last")
    rows = []
    for (study, arm), runs in records.runs.groupby(["study", "arm"], sort=False):
        values = runs["run"].map(accuracy).to_numpy(dtype=float)
        if len(values) < 3:
            continue
        mean, examples = values.mean(), tested_on(runs.iloc[0])
        rows.append(
            {
                "study": study,
                "arm": arm,
                "seeds": len(values),
                "mean": mean,
                "observed": values.std(ddof=1),
                "binomial": np.sqrt(mean * (1 - mean) / examples),
            }
        )
    return pd.DataFrame(rows)


def draw(records: Records, ax: Axes | None = None) -> Axes:
    """Draw observed against binomial standard deviation; on the line, seeds matter no more."""
    ax = ax or plt.gca()
    table = data(records)
    ax.scatter(100 * table["binomial"], 100 * table["observed"], s=12, color=COLOURS[2], alpha=0.8)
    top = 110 * max(table["binomial"].max(), table["observed"].max(), 1e-4)
    ax.plot([0, top], [0, top], color="0.5", linewidth=0.6, linestyle=":")
    ax.set(
        xlabel="binomial sd of the test set (points)",
        ylabel="observed sd over seeds (points)",
        xlim=(0, None),
        ylim=(0, None),
    )
    return ax


def alt(records: Records) -> str:
    """Describe the figure."""
    table = data(records)
    ratio = (table["observed"] / table["binomial"].where(table["binomial"] > 0)).median()
    return (
        f"Observed against binomial standard deviation of test accuracy for {len(table)} "
        f"arms; the median ratio is {ratio:.2f}."
    )


FIGURE = Figure(__doc__, data, draw, alt, needs="an arm with at least three seeds")
