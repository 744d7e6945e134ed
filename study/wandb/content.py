"""Turns a study's run into a W&B run's content, and the content back into records."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from study.base.errors import BadInput
from study.base.files import read_regular, sha256
from study.records.columns import history_columns
from study.records.images import MOST_BYTES
from study.records.parquet import as_table, read_part
from study.runs.declaring import nested
from study.runs.run import Run
from study.runs.study import Study
from study.terminal.arms import arm_label, arm_parts

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

LONGEST_NAME = 64  # W&B's limit for job types and tags
LONGEST_TITLE = 128  # W&B's limit for a run's name
PREDICTIONS = "predictions.parquet"
EARLIER_PREDICTIONS = "predictions.json"  # a list of rows
IMAGES = re.compile(r"[0-9a-f]{12}")  # their files' names
OF_DATA = ("image_shape", "classes", "test_examples", "outside")
OUTCOME = ("status", "epochs", "epochs_to_fit", "seconds", "weights_hash")
OF_WANDB = ("run", "epoch", "train_seconds")  # not a measured value


class Content(NamedTuple):
    """A run as it is sent.

    ``settings`` are arguments of ``wandb.init``. ``rows`` are the evaluated epochs, each with the
    time when it was trained. What follows is of recorded runs: ``summary``, and what the network
    answered, if that was kept, as it was written and as ``answers``, a row an example. ``watched``
    is the process of this machine that trains the run, if there is one.
    """

    run: str
    settings: dict[str, Any]
    config: dict[str, Any]
    rows: list[dict[str, Any]]
    summary: Mapping[str, Any] = {}
    predictions: pa.Table | None = None
    answers: pd.DataFrame | None = None
    watched: int | None = None

    @property
    def images(self) -> list[str]:
        """The names of the images that the predictions are of."""
        named = [] if self.predictions is None else self.predictions["images"].to_pylist()
        return sorted(name for name in set(named) - {None} if IMAGES.fullmatch(name))


class Fetched(NamedTuple):
    """A run read from W&B: ``id`` is its W&B id or its file.

    Predictions are one table, or none where they were not kept; images are files' contents.
    ``fault`` says why the run could not be read.
    """

    id: str
    config: dict[str, Any]
    history: list[dict[str, Any]]
    summary: dict[str, Any]
    predictions: list[pa.Table]
    images: list[bytes]
    fault: str = ""


def add_files(fetched: Fetched, files: Path) -> None:
    """Add predictions and images of a W&B run's files; raises `BadInput` where one is damaged."""
    if files.is_symlink():
        raise BadInput(str(files), "a folder", "a link")
    if (path := files / PREDICTIONS).exists():
        if fetched.summary.get("predictions_hash") not in (
            sha256([read_regular(path, MOST_BYTES)]),
            None,
        ):
            raise BadInput(str(path), "the predictions that were sent", "others")
        table = read_part(path)
        if table is None or not {"run", "images"}.issubset(table.column_names):
            raise BadInput(str(path), "predictions as a whole parquet file")
        fetched.predictions.append(table)
    elif (path := files / EARLIER_PREDICTIONS).exists():
        try:
            rows = json.loads(read_regular(path))
            fetched.predictions.extend([as_table(rows)] if rows else [])
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise BadInput(str(path), "predictions as JSON", hint=str(error)) from None
    for path in sorted((files / "images").glob("*.npy")):
        content = read_regular(path, MOST_BYTES)
        if not sha256([content]).startswith(path.stem) or not IMAGES.fullmatch(path.stem):
            raise BadInput(str(path), "images with the hash that is their name", "others")
        fetched.images.append(content)


def settings_of(study: Study, run: Run, folder: Path) -> dict[str, Any]:
    """Return a run's place in W&B and what people read there, with the command that trains it."""
    arm = study.arm(run)
    label, seed = arm_label(arm), f", seed {run.seed}"
    options = [word for key in arm for word in (f"--{key}", json.dumps(arm[key]))]
    config = ["--config", str(folder / "study.yaml"), "--seeds", f"[{run.seed}]"]
    command = shlex.join(["study", "fit", *config, *options, "--out", f"results/{run.id}"])
    tags = [*study.wandb.tags, *(part[:LONGEST_NAME] for part in (arm_parts(arm) if arm else ()))]
    return {
        "project": study.wandb.project,
        "entity": study.wandb.entity,
        "group": study.wandb.group or study.name,
        "job_type": label[:LONGEST_NAME],
        "name": f"{label[: LONGEST_TITLE - len(seed)]}{seed}",
        "tags": list(dict.fromkeys(tags)),
        "notes": f"Run {run.id} of the study {study.name}: {label}{seed}.\n"
        f"To train it again: `{command}`",
    }


def config_of(study: Study, run: Run) -> dict[str, Any]:
    """Return what a run's W&B config has from the start: its facts by subject."""
    named = {"run": run.id, "study": study.name, "arm": arm_label(study.arm(run))}
    return {**named, **nested(run.facts())}


def record_of(
    row: Mapping[str, Any], environment: Mapping[str, Any], study_yaml: str
) -> dict[str, Any]:
    """Return what a recorded run's W&B config has besides; ``record`` restores it exactly."""
    return {
        **{name: row[name] for name in ("parameters", "data_hash", "labels_hash")},
        "environment": dict(environment),
        "record": {
            "facts": row["facts"],
            **{name: row.get(name) for name in OF_DATA},
            "environment": json.dumps(environment),
            "study": study_yaml,
        },
    }


def summary_of(row: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a run's W&B summary: the metrics of its last epoch, and how it ended."""
    last = max(history, key=lambda each: int(each["epoch"]))
    outcome = {**{key: row[key] for key in OUTCOME}, "train_seconds": row["seconds"]}
    return {**{k: v for k, v in last.items() if k != "run"}, **outcome}


def run_row(config: Mapping[str, Any], summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's row of records, but for its environment's name; imports nothing.

    Raises `BadInput` where W&B has no run of a study.
    """
    try:
        facts = json.loads(config["record"]["facts"])
        run = Run.of(facts)
        to_fit = summary.get("epochs_to_fit")  # W&B leaves null out
        row = {
            "run": run.id,
            **run.facts(),
            "facts": config["record"]["facts"],
            "status": _text(summary["status"]),
            "epochs": int(summary["epochs"]),
            "epochs_to_fit": None if to_fit is None else int(to_fit),
            "parameters": int(config["parameters"]),
            **{name: config["record"].get(name) for name in OF_DATA},
            "seconds": float(summary["seconds"]),
            "data_hash": _text(config["data_hash"]),
            "labels_hash": _text(config["labels_hash"]),
            "weights_hash": _text(summary["weights_hash"]),
            "environment": "",
            "error": None,  # failed runs are not sent
        }
    except (KeyError, TypeError, ValueError) as error:
        hint = f"{type(error).__name__}: {error}"
        raise BadInput("W&B run", "config and summary of a study's run", hint=hint) from None
    if run.id != config.get("run"):
        raise BadInput("W&B run", f"facts that give the id {config.get('run')}", run.id)
    return row


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} is no text")
    return value


def history_rows(run: str, logged: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a run's rows of history from the rows that W&B returns; each epoch appears once.

    W&B returns whole numbers as ints, and infinities and nans as text.
    """
    rows: dict[int, dict[str, Any]] = {}
    for each in logged:
        if each.get("epoch") is None:
            continue
        epoch = int(each["epoch"])
        # In the order of records; names of W&B's own begin with an underscore.
        names = [*filter(each.__contains__, history_columns(validation=True)[2:]), *sorted(each)]
        names = [name for name in names if name[0] != "_" and name not in OF_WANDB]
        values = {n: math.nan if each[n] is None else float(each[n]) for n in names}
        rows.setdefault(epoch, {"run": run, "epoch": epoch, **values})
    return [rows[epoch] for epoch in sorted(rows)]
