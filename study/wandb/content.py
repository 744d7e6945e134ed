"""What a W&B run holds of a study's run, and the records that come back from it."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from study.base.errors import BadInput
from study.records.provenance import data_sizes, outside_hashes
from study.records.reading import EARLIER_HISTORY_COLUMNS, history_columns
from study.runs.progress import Progress
from study.runs.run import Run
from study.runs.study import Study
from study.terminal.arms import arm_label

LONGEST_NAME = 64  # of a job type and a tag, in W&B
LONGEST_TITLE = 128  # of a run's name
PREDICTIONS = "predictions.json"
OF_DATA = ("image_shape", "classes", "test_examples", "outside")
OUTCOME = ("status", "epochs", "epochs_to_fit", "seconds", "weights_hash")


class Content(NamedTuple):
    """One run, as plain values.

    Attributes
    ----------
    settings
        Its place in W&B: ``project``, ``entity``, ``group``, ``job_type``, ``name``, ``tags``.
    config
        What was known before training: facts, data, environment.
    history
        Its evaluated epochs.
    summary
        What came out; empty while it trains.
    predictions
        What its network says of a few hundred examples.
    images
        Names of the files of images that those refer to.
    """

    run: str
    settings: dict[str, Any]
    config: dict[str, Any]
    history: list[dict[str, Any]]
    summary: dict[str, Any]
    predictions: list[dict[str, Any]]
    images: list[str]


class Fetched(NamedTuple):
    """A run as W&B gives it back: its id there, and what `Content` has; images as files' bytes."""

    id: str
    config: dict[str, Any]
    history: list[dict[str, Any]]
    summary: dict[str, Any]
    predictions: list[dict[str, Any]]
    images: list[bytes]


def training_content(
    study: Study,
    slot: Progress,
    study_yaml: str,
    hashes: tuple[str, str],
    environment: Mapping[str, Any],
) -> Content:
    """Return a run that trains, as far as it has come."""
    config = config_of(study, slot.run, study_yaml, hashes, environment)
    return Content(
        slot.run.id, settings_of(study, slot.run), config, list(slot.history), {}, [], []
    )


def ended(
    content: Content, row: Mapping[str, Any], predictions: Sequence[Mapping[str, Any]]
) -> Content:
    """Return a run with what came out of it.

    Parameters
    ----------
    content
        The run, its history whole.
    row
        Its row of records.
    predictions
        Its rows of predictions.
    """
    return content._replace(
        summary=summary_of(row, content.history),
        predictions=[dict(each) for each in predictions],
        images=sorted({each["images"] for each in predictions} - {None}),
    )


def recorded_content(
    study: Study, study_yaml: str, folder: Path, wanted: Collection[str]
) -> Iterator[Content]:
    """Read runs that are recorded in a study's folder, with all that came out of them."""
    from study.records.parquet import read_parts
    from study.records.reading import recorded

    said: dict[str, list[dict[str, Any]]] = {}
    for part in read_parts(folder, ["predictions"], wanted)[0]["predictions"]:
        for each in part.to_pylist():
            said.setdefault(each["run"], []).append(each)
    for run, row, history in recorded(folder):
        if run.id in wanted:
            environment = json.loads(
                (folder / "environment" / f"{row['environment']}.json").read_text(encoding="utf-8")
            )
            hashes = (row["data_hash"], row["labels_hash"])
            config = config_of(study, run, study_yaml, hashes, environment)
            content = Content(run.id, settings_of(study, run), config, history, {}, [], [])
            yield ended(content, row, said.get(run.id, []))


def settings_of(study: Study, run: Run) -> dict[str, Any]:
    """Return where a run stands in W&B: its study's group, and in it its condition's."""
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
    """Return a run's config: its facts by subject, hashes of its data, and where it is trained.

    Under ``record`` stand the texts that bring the records back to the letter.
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
    """Return a run's final row: its last epoch, and how it ended."""
    last = max(history, key=lambda each: int(each["epoch"]))
    return {**{k: v for k, v in last.items() if k != "run"}, **{key: row[key] for key in OUTCOME}}


def run_row(
    config: Mapping[str, Any], summary: Mapping[str, Any], environment: str
) -> dict[str, Any]:
    """Return a run's row of records.

    Parameters
    ----------
    config, summary
        As W&B gives them back.
    environment
        The hash that the row refers to its environment by.

    Raises
    ------
    BadInput
        No run of a study.
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
        }
    except (KeyError, TypeError, ValueError) as error:
        hint = f"{type(error).__name__}: {error}"
        raise BadInput("W&B run", "config and summary of a study's run", hint=hint) from None
    if run.id != config.get("run"):
        raise BadInput("W&B run", f"facts that give the id {config.get('run')}", run.id)
    return row


def history_rows(run: str, logged: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a run's rows of history from what W&B gives back; an epoch counts once.

    W&B returns whole numbers as ints and what is no number as text.
    """
    names = [*history_columns()[2:], *EARLIER_HISTORY_COLUMNS]
    rows: dict[int, dict[str, Any]] = {}
    for each in logged:
        if each.get("epoch") is None:
            continue
        epoch = int(each["epoch"])
        values = {name: _number(each[name]) for name in names if name in each}
        rows.setdefault(epoch, {"run": run, "epoch": epoch, **values})
    return [rows[epoch] for epoch in sorted(rows)]


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
