"""Writes the records held by W&B runs into a study's folder, for `reports`."""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from study.base.errors import BadInput
from study.records.writing import Folder
from study.runs import yaml_text
from study.wandb.content import Fetched, history_rows, run_row

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")  # of a study, which becomes a folder's


def restore(
    fetched: Iterable[Fetched], out: Path | None, leave_out: Callable[[str], None]
) -> tuple[Path, int]:
    """Write runs' records, and return the folder and the number of runs written.

    The folder is results/<name>-wandb unless ``out`` is given. ``leave_out`` gets a line for each
    run that is not written or has no predictions. Raises `BadInput` where none is written, or the
    folder holds something else.
    """
    folder: Folder | None = None
    there: set[str] = set()
    study, begun, number = "", "", 0
    for each in _with_predictions_first(fetched):
        if fault := fault_of(each, study):
            leave_out(each.fault or f"{each.id}: {fault}")
            continue
        try:
            row, environment, history, images = records_of(each)
        except Exception as error:  # W&B gives whatever somebody has sent
            leave_out(f"{each.id}: {' '.join(str(error).split())}")
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
        if (run := row["run"]) in there:
            leave_out(f"{each.id}: the run {run}, which is there already")
            continue
        row["environment"] = folder.write_environment(environment)
        for image in images:
            folder.write_images(image)
        folder.write_part([row], history, each.predictions)
        there.add(run)
        number += 1
        if not each.predictions and yaml_text.load(config).get("keep_predictions", True):
            leave_out(f"{each.id}: its predictions, which are missing")
    if folder is None or out is None:
        raise BadInput("W&B", "a run of a study that has ended", 0)
    folder.merge()
    return out, number


def _with_predictions_first(fetched: Iterable[Fetched]) -> Iterator[Fetched]:
    """Yield runs without predictions last: sent in part, a run may be in W&B again, and whole."""
    without = []
    for each in fetched:
        if each.predictions:
            yield each
        else:
            without.append(each)
    yield from without


def fault_of(fetched: Fetched, study: str) -> str:
    """Return why a W&B run gives no records of ``study`` (empty: of any study), or ``""``."""
    if fetched.fault:
        return fetched.fault
    if "status" not in fetched.summary:
        return "has not ended"
    try:
        name, config = fetched.config["study"], fetched.config["record"]["study"]
        every, last = int(fetched.config["evaluate_every"]), int(fetched.summary["epoch"])
        epochs = {row.get("epoch") for row in fetched.history}
        wanted = itertools.chain(range(0, last, every), [last])
        if not NAME.fullmatch(name) or yaml_text.load(config)["name"] != name:
            return "no run of a study: the study's name and its config disagree"
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        return "no run of a study"
    if study and name != study:
        return f"a run of the study {name}, not of {study}"
    lacking = next((epoch for epoch in wanted if epoch not in epochs), None)
    return "" if lacking is None else f"its history lacks epochs, the first {lacking}"


def records_of(fetched: Fetched) -> tuple[dict[str, Any], dict[str, Any], list[Any], list[Any]]:
    """Return a run's row, environment, history and images; raises anything where W&B has others."""
    row = run_row(fetched.config, fetched.summary)
    environment = json.loads(fetched.config["record"]["environment"])
    if not isinstance(environment, dict):
        raise BadInput("W&B run", "an environment", environment)
    for table in fetched.predictions:
        if set(table["run"].to_pylist()) != {row["run"]}:
            raise BadInput("W&B run", f"predictions of the run {row['run']}", "those of others")
    images = [np.load(io.BytesIO(image), allow_pickle=False) for image in fetched.images]
    return row, environment, history_rows(row["run"], fetched.history), images
