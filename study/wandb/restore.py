"""Writes the records held by W&B runs into a study's folder, for `reports`."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import yaml

from study.base.errors import BadInput
from study.records.writing import Folder
from study.wandb.content import Fetched, history_rows, run_row


def restore(fetched: Iterable[Fetched], out: Path | None) -> tuple[Path, int, list[str]]:
    """Write runs' records.

    Parameters
    ----------
    fetched
        Runs read from W&B.
    out
        The folder; None takes results/<name>-wandb.

    Returns
    -------
    out
        The folder.
    number
        The number of runs written.
    left_out
        A line for each run that was not written or has no predictions.

    Raises
    ------
    BadInput
        No run has ended, or the folder holds something else.
    """
    folder: Folder | None = None
    there: set[str] = set()
    study, begun, number, left_out = "", "", 0, []
    for each in _with_predictions_first(fetched):
        if fault := fault_of(each, study):
            left_out.append(f"{each.id}: {fault}")
            continue
        config = each.config["record"]["study"]
        if folder is None:
            study = each.config["study"]
            out = out or Path("results") / f"{study}-wandb"
            folder = Folder(out, study)
            there = folder.ended()
        if config != begun:
            folder.begin(config)
            begun = config
        if (run := each.config.get("run")) in there:
            left_out.append(f"{each.id}: the run {run}, which is there already")
        else:
            there.add(write(folder, each))
            number += 1
            if not each.predictions and yaml.safe_load(config).get("keep_predictions", True):
                left_out.append(f"{each.id}: its predictions, which are missing")
    if folder is None or out is None:
        raise BadInput("W&B", "a run of a study that has ended", "; ".join(left_out) or "none")
    folder.merge()
    return out, number, left_out


def _with_predictions_first(fetched: Iterable[Fetched]) -> Iterator[Fetched]:
    """Yield runs without predictions last.

    A run may be in W&B twice: sent until the server failed, before its files were, and again whole.
    """
    without = []
    for each in fetched:
        if each.predictions:
            yield each
        else:
            without.append(each)
    yield from without


def fault_of(fetched: Fetched, study: str) -> str:
    """Return why a W&B run gives no records of ``study`` (empty: of any study), or ``""``."""
    if "status" not in fetched.summary:
        return "has not ended"
    try:
        name, _ = fetched.config["study"], fetched.config["record"]["study"]
        every, last = int(fetched.config["evaluate_every"]), int(fetched.summary["epoch"])
    except (KeyError, TypeError, ValueError):
        return "no run of a study"
    if study and name != study:
        return f"a run of the study {name}, not of {study}"
    epochs = {row.get("epoch") for row in fetched.history}
    if lacking := sorted({*range(0, last, every), last} - epochs):
        return f"its history lacks {len(lacking)} epochs, the first {lacking[0]}"
    return ""


def write(folder: Folder, fetched: Fetched) -> str:
    """Write one run's records and return its id."""
    environment = folder.write_environment(json.loads(fetched.config["record"]["environment"]))
    row = run_row(fetched.config, fetched.summary, environment)
    for image in fetched.images:
        folder.write_images(np.load(io.BytesIO(image), allow_pickle=False))
    history = history_rows(row["run"], fetched.history)
    folder.write_part([row], history, fetched.predictions)
    return str(row["run"])
