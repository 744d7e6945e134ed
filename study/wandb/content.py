"""Turns a study's run into a W&B run's content, and the content back into records."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from study.base.errors import BadInput
from study.records.columns import history_columns
from study.records.parquet import as_table, parquet, read_part
from study.records.provenance import data_sizes, outside_hashes
from study.runs.progress import Progress
from study.runs.run import Run
from study.runs.study import Study
from study.terminal.arms import arm_label

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_NAME = 64  # W&B's limit for job types and tags
LONGEST_TITLE = 128  # W&B's limit for a run's name
PREDICTIONS = "predictions.parquet"
EARLIER_PREDICTIONS = "predictions.json"  # a list of rows
OF_DATA = ("image_shape", "classes", "test_examples", "outside")
OUTCOME = ("status", "epochs", "epochs_to_fit", "seconds", "weights_hash")


class Content(NamedTuple):
    """One run, as plain values.

    Attributes
    ----------
    settings
        Its place in W&B: ``project``, ``entity``, ``group``, ``job_type``, ``name``, ``tags``.
    config
        Everything known before training: facts, data, environment.
    history
        The run's evaluated epochs.
    summary
        The run's results; empty while it trains.
    predictions
        The network's predictions: the content of a parquet file, in base64.
    images
        Names of the image files that the predictions refer to.
    """

    run: str
    settings: dict[str, Any]
    config: dict[str, Any]
    history: list[dict[str, Any]]
    summary: dict[str, Any]
    predictions: str
    images: list[str]


class Fetched(NamedTuple):
    """A run read from W&B: its W&B id and the fields of `Content`, with images as files' bytes.

    Predictions are one table, or none where they were not kept.
    """

    id: str
    config: dict[str, Any]
    history: list[dict[str, Any]]
    summary: dict[str, Any]
    predictions: list[pa.Table]
    images: list[bytes]


def add_files(fetched: Fetched, files: Path) -> None:
    """Add predictions and images, from the folder of a W&B run's files.

    Raises
    ------
    BadInput
        Predictions that cannot be read.
    """
    whole, earlier = files / PREDICTIONS, files / EARLIER_PREDICTIONS
    try:
        if whole.is_file():
            fetched.predictions.append(read_part(whole))
        elif earlier.is_file():
            rows = json.loads(earlier.read_text(encoding="utf-8"))
            fetched.predictions.extend([as_table(rows)] if rows else [])
    except ValueError as error:
        raise BadInput(str(earlier), "predictions as JSON", hint=str(error)) from None
    if None in fetched.predictions:
        raise BadInput(str(whole), "predictions as a whole parquet file")
    for path in sorted((files / "images").glob("*.npy")):
        fetched.images.append(path.read_bytes())


def training_content(
    study: Study,
    slot: Progress,
    study_yaml: str,
    hashes: tuple[str, str],
    environment: Mapping[str, Any],
) -> Content:
    """Return the content of a run that trains, with its epochs so far."""
    config = config_of(study, slot.run, study_yaml, hashes, environment)
    return Content(
        slot.run.id, settings_of(study, slot.run), config, list(slot.history), {}, "", []
    )


def ended(content: Content, row: Mapping[str, Any], predictions: pa.Table | None) -> Content:
    """Return a run's content with its results added.

    Parameters
    ----------
    content
        The run with its whole history.
    row
        The run's row of records.
    predictions
        The run's predictions, if they were kept.
    """
    content = content._replace(summary=summary_of(row, content.history))
    if predictions is None:
        return content
    return content._replace(
        predictions=base64.b64encode(parquet(predictions)).decode(),
        images=sorted(set(predictions["images"].to_pylist()) - {None}),
    )


def recorded_content(
    study: Study, study_yaml: str, folder: Path, wanted: Collection[str]
) -> Iterator[Content]:
    """Yield the content of runs that are recorded in a study's folder."""
    from study.records.predictions import tables_by_run
    from study.records.reading import recorded

    said = tables_by_run(folder, wanted)
    for run, row, history in recorded(folder):
        if run.id in wanted:
            environment = json.loads(
                (folder / "environment" / f"{row['environment']}.json").read_text(encoding="utf-8")
            )
            hashes = (row["data_hash"], row["labels_hash"])
            config = config_of(study, run, study_yaml, hashes, environment)
            content = Content(run.id, settings_of(study, run), config, history, {}, "", [])
            yield ended(content, row, said.get(run.id))


def settings_of(study: Study, run: Run) -> dict[str, Any]:
    """Return a run's place in W&B: the group is its study, the job type its arm."""
    label, seed = arm_label(study.arm(run)), f", seed {run.seed}"
    return {
        "project": study.wandb.project,
        "entity": study.wandb.entity,
        "group": study.wandb.group or study.name,
        "job_type": label[:LONGEST_NAME],
        "name": f"{label[: LONGEST_TITLE - len(seed)]}{seed}",
        "tags": list(study.wandb.tags),
    }


def config_of(
    study: Study,
    run: Run,
    study_yaml: str,
    hashes: tuple[str, str],
    environment: Mapping[str, Any],
) -> dict[str, Any]:
    """Return a run's W&B config: facts by subject, hashes of the data, and the environment.

    ``record`` holds the texts from which the records are restored exactly.
    """
    nested: dict[str, Any] = {}
    for key, value in run.facts().items():
        subject, _, name = key.rpartition(".")
        (nested.setdefault(subject, {}) if subject else nested)[name] = value
    return {
        "run": run.id,
        "study": study.name,
        "arm": arm_label(study.arm(run)),
        **nested,
        "parameters": run.parameters,
        "data_hash": hashes[0],
        "labels_hash": hashes[1],
        "environment": dict(environment),
        "record": {
            "facts": json.dumps(run.facts()),
            **data_sizes(run),
            "outside": outside_hashes(run),
            "environment": json.dumps(environment),
            "study": study_yaml,
        },
    }


def summary_of(row: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a run's W&B summary: the metrics of its last epoch, and how it ended."""
    last = max(history, key=lambda each: int(each["epoch"]))
    return {**{k: v for k, v in last.items() if k != "run"}, **{key: row[key] for key in OUTCOME}}


def run_row(
    config: Mapping[str, Any], summary: Mapping[str, Any], environment: str
) -> dict[str, Any]:
    """Return a run's row of records.

    Parameters
    ----------
    config, summary
        The run's config and summary, read from W&B.
    environment
        The hash that names the run's environment.

    Raises
    ------
    BadInput
        The W&B run is no run of a study.
    """
    try:
        facts = json.loads(config["record"]["facts"])
        run = Run.of(facts)
        to_fit = summary.get("epochs_to_fit")  # W&B leaves null out
        row = {
            "run": run.id,
            **run.facts(),
            "facts": config["record"]["facts"],
            "status": summary["status"],
            "epochs": int(summary["epochs"]),
            "epochs_to_fit": None if to_fit is None else int(to_fit),
            "parameters": run.parameters,
            **{name: config["record"].get(name) for name in OF_DATA},
            "seconds": float(summary["seconds"]),
            "data_hash": config["data_hash"],
            "labels_hash": config["labels_hash"],
            "weights_hash": summary["weights_hash"],
            "environment": environment,
            "error": None,  # failed runs are not sent
        }
    except (KeyError, TypeError, ValueError) as error:
        hint = f"{type(error).__name__}: {error}"
        raise BadInput("W&B run", "config and summary of a study's run", hint=hint) from None
    if run.id != config.get("run"):
        raise BadInput("W&B run", f"facts that give the id {config.get('run')}", run.id)
    return row


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
        names = [name for name in names if name[0] != "_" and name not in ("run", "epoch")]
        values = {name: _number(each[name]) for name in names}
        rows.setdefault(epoch, {"run": run, "epoch": epoch, **values})
    return [rows[epoch] for epoch in sorted(rows)]


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
