"""Records made by hand, so that a verdict's truth is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from reports.read import Records
from study.records.reading import PREDICTION_COLUMNS, history_columns
from study.runs.run import Run


def records(
    seeds: int,
    conditions: Sequence[Mapping[str, Any]],
    value: Callable[[int, Mapping[str, Any], int], Mapping[str, float]],
    *,
    epochs: Sequence[int] = (0, 1, 2),
    outcome: Callable[[int, Mapping[str, Any]], Mapping[str, Any]] = lambda seed, facts: {},
) -> Records:
    """Return records of a run for each seed and condition.

    Parameters
    ----------
    value
        Gives some columns of ``history`` from seed, condition and epoch.
    outcome
        Gives some columns of ``runs`` from seed and condition.
    """
    rows, history = [], []
    for seed in range(seeds):
        for facts in conditions:
            run = Run.of({"seed": seed, **facts})
            rows.append(
                {
                    "run": run.id,
                    **{k: str(v) if isinstance(v, list) else v for k, v in run.facts().items()},
                    "status": "finished",
                    "epochs": max(epochs),
                    "epochs_to_fit": None,
                    "parameters": run.parameters,
                    "seconds": 1.0,
                    "data_hash": "d" * 64,
                    "environment": "e",
                    "study": "made",
                    "condition": ", ".join(f"{k} {v}" for k, v in facts.items()),
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
                        "condition": rows[-1]["condition"],
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
