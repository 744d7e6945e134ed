"""Records made by hand, so that a verdict's truth is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from reports.read import Records
from study.records.columns import history_columns
from study.records.predictions import PREDICTION_COLUMNS
from study.runs.run import Run


def records(
    seeds: int,
    arms: Sequence[Mapping[str, Any]],
    value: Callable[[int, Mapping[str, Any], int], Mapping[str, float]],
    *,
    epochs: Sequence[int] = (0, 1, 2),
    outcome: Callable[[int, Mapping[str, Any]], Mapping[str, Any]] = lambda seed, facts: {},
) -> Records:
    """Return records of a run for each seed and arm.

    Parameters
    ----------
    value
        Gives some columns of ``history`` from seed, arm and epoch.
    outcome
        Gives some columns of ``runs`` from seed and arm.
    """
    rows, history = [], []
    for seed in range(seeds):
        for facts in arms:
            run = Run.of({"seed": seed, **facts})
            rows.append(
                {
                    "run": run.id,
                    **{
                        k: json.dumps(v) if isinstance(v, list) else v
                        for k, v in run.facts().items()
                    },
                    "status": "finished",
                    "epochs": max(epochs),
                    "epochs_to_fit": None,
                    "parameters": run.parameters,
                    "seconds": 1.0,
                    "data_hash": "d" * 64,
                    "environment": "e",
                    "classes": 10,
                    "study": "made",
                    "arm": ", ".join(f"{k} {v}" for k, v in facts.items()),
                    **outcome(seed, facts),
                }
            )
            for epoch in epochs:
                columns = dict.fromkeys(history_columns(), 0.5)
                history.append(
                    {
                        **columns,
                        "run": run.id,
                        "epoch": epoch,
                        "seed": seed,
                        "study": "made",
                        "arm": rows[-1]["arm"],
                        **value(seed, facts, epoch),
                    }
                )
    return Records(
        pd.DataFrame(rows),
        pd.DataFrame(history),
        pd.DataFrame(columns=PREDICTION_COLUMNS),
        {},
        {"e": {"processor": "a processor", "device": "cpu", "packages": {}, "stacking": "bitwise"}},
        {"made": {"name": "made", "vary": {}}},
    )


def _as_read(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) else value
