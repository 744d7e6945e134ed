"""What the view of curves shows: six metrics of every run at every epoch."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from reports.arm_styles import arm_styles
from reports.explorer.packing import packed_numbers
from reports.read import Records
from reports.style import dark

METRICS = ("cross_entropy", "squared_error", "accuracy")
PARTS = ("train", "test")
MOST_RUN_EPOCHS = 40_000  # of more, only the first seeds are shown


def all_curves(records: Records) -> dict[str, Any]:
    """Return the curves of all runs.

    Returns
    -------
    curves
        ``epochs``, ascending, shared by all runs; ``metrics``, columns of ``history``; ``runs``,
        one entry a run in the order of ``values``; ``arms``, each with its name, study, colours
        and dashes; ``commands``, by study, which train a run again when its id follows; and
        ``values``, packed: [metric, run, epoch], nan where a run was not evaluated.
    """
    runs = _shown(records)
    history = records.history[records.history["run"].isin(runs["run"])]
    epochs = np.sort(history["epoch"].unique())
    metrics = [f"{part}_{name}" for part in PARTS for name in METRICS]
    wide = [
        history.pivot_table(index="run", columns="epoch", values=metric, dropna=False)
        .reindex(index=runs["run"], columns=epochs)
        .to_numpy(dtype=float)
        for metric in metrics
    ]
    styles = arm_styles(records)
    arms = {
        _arm(row): (row["study"], styles[row["study"], row["arm"]])
        for row in runs.to_dict("records")
    }
    return {
        "epochs": epochs.tolist(),
        "metrics": metrics,
        "arms": [
            {
                "name": name,
                "study": study,
                "light": s.colour,
                "dark": dark(s.colour),
                "dash": [4 * d for d in s.dashes],
            }
            for name, (study, s) in arms.items()
        ],
        "runs": [_entry(row, list(arms)) for row in runs.to_dict("records")],
        "commands": {
            name: f"python -m study.verify {shlex.quote(folder)} --run"
            for name, folder in records.folders.items()
        },
        "left_out": len(records.runs) - len(runs),
        "values": packed_numbers(np.stack(wide)),
    }


def _shown(records: Records) -> pd.DataFrame:
    """Return the runs by study, arm and seed; of very many run-epochs, those of the first seeds."""
    runs = records.runs.sort_values(["study", "arm", "seed"], kind="stable")
    by_seed = runs.sort_values("seed", kind="stable")
    number = records.history.groupby("run").size().reindex(by_seed["run"]).fillna(0).cumsum()
    kept = number[number <= MOST_RUN_EPOCHS].index
    return runs[runs["run"].isin(kept)]


def _arm(run: Mapping[Any, Any]) -> str:
    return f"{run['study']}: {run['arm']}" if run["arm"] else str(run["study"])


def _entry(run: Mapping[Any, Any], arms: list[str]) -> dict[str, Any]:
    fit = run["epochs_to_fit"]
    return {
        "id": run["run"],
        "arm": arms.index(_arm(run)),
        "seed": int(run["seed"]),
        "status": run["status"],
        "epochs": int(run["epochs"]),
        "fit": None if pd.isna(fit) else int(fit),
    }
