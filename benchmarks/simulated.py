"""Writes a study's folder as many tasks would leave it: real ids and facts, made-up results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from study.records.columns import history_columns
from study.records.live import LiveFile
from study.records.parquet import concatenate, write_part
from study.records.predictions import answers_table
from study.records.writing import Folder
from study.runs.config import study_yaml
from study.runs.declaring import nested
from study.runs.run import Run
from study.runs.shards import Shard
from study.runs.study import Study
from study.training.kept import KEPT

VARY: dict[str, list[Any]] = {
    "data.label_noise": [0, 0.25, 0.5, 0.75, 1],
    "model.backward": ["jacobian", "identity"],
    "model.loss": ["cross_entropy", "squared_error"],
    "stop.train_accuracy": [None, 1.0],
}
BASE = {"trainer.max_epochs": 200, "evaluate_every": 10}
PROCESSORS = ("one processor", "another processor")


def simulate(path: Path, runs: int, tasks: int) -> None:
    """Write a study's folder as ``tasks`` tasks would leave it, with one part for each task."""
    conditions = int(np.prod([len(values) for values in VARY.values()]))
    study = Study(name="scale", seeds=max(1, runs // conditions), vary=VARY, **nested(BASE))
    folder = Folder(path, study.name)
    folder.begin(study_yaml(study))
    environments = [folder.write_environment(environment(name)) for name in PROCESSORS]
    images = folder.write_images(np.zeros((KEPT, 784), dtype=np.uint8))
    ordered = Shard().take(study.runs)
    for number in range(tasks):
        first, last = (len(ordered) * k // tasks for k in (number, number + 1))
        share = ordered[first:last]
        with LiveFile(path, f"{number + 1}/{tasks}"):
            if share:
                rng = np.random.default_rng(number)
                rows = outcomes(share, rng, environments[number % len(environments)])
                tables = {
                    "runs": pa.Table.from_pylist(rows),
                    "history": history(rows, rng),
                    "answers": predictions(rows, rng, images),
                }
                write_part(path, tables)


def environment(processor: str) -> dict[str, Any]:
    """Return a task's environment with the entries that a report reads."""
    packages = {"numpy": "2.0", "torch": "2.6"}
    return {
        "processor": processor,
        "device": "cpu",
        "python": "3.11",
        "packages": packages,
        "stacking": "bitwise",
    }


def outcomes(runs: Sequence[Run], rng: np.random.Generator, machine: str) -> list[dict[str, Any]]:
    """Return the rows of some runs; runs that stop fit, and fit later under more noise."""
    rows = []
    for run in runs:
        facts = run.facts()
        to_fit = round(60 + 100 * run.data.label_noise + 8 * rng.standard_normal())
        identity = run.model.backward == "identity" and run.model.loss == "cross_entropy"
        diverged = bool(identity and rng.random() < 0.05)
        fitted = run.stop.train_accuracy is not None and not diverged
        rows.append(
            {
                "run": run.id,
                **{k: json.dumps(v) if isinstance(v, list) else v for k, v in facts.items()},
                "facts": json.dumps(facts),
                "status": "diverged" if diverged else "fitted" if fitted else "finished",
                "epochs": to_fit if fitted or diverged else run.trainer.max_epochs,
                "epochs_to_fit": None if diverged else to_fit,
                "parameters": run.parameters,
                "seconds": 5 + rng.random(),
                "data_hash": "d" * 64,
                "labels_hash": rng.bytes(32).hex(),
                "weights_hash": rng.bytes(32).hex(),
                "environment": machine,
            }
        )
    return rows


def history(rows: Sequence[dict[str, Any]], rng: np.random.Generator) -> pa.Table:
    """Return the evaluated epochs of some runs, about 17 each."""
    every = BASE["evaluate_every"]
    epochs = [np.union1d(np.arange(0, row["epochs"], every), row["epochs"]) for row in rows]
    lengths = [len(each) for each in epochs]
    epoch = np.concatenate(epochs)
    last = np.repeat([row["epochs"] for row in rows], lengths)
    noise = np.repeat([row["data.label_noise"] for row in rows], lengths)
    lost = np.repeat([row["status"] == "diverged" for row in rows], lengths) & (epoch == last)
    part = epoch / last
    columns: dict[str, Any] = {}
    for name in history_columns()[2:]:
        reached: Any = 0.9 if "accuracy" in name else 0.01
        if name.startswith("test"):
            reached = 0.94 - 0.84 * noise if "accuracy" in name else 0.3 + 4 * noise
        values: Any = (0.1 if "accuracy" in name else 2.3) * (1 - part) + reached * part
        values = values + 0.005 * rng.standard_normal(len(epoch)) * part
        values = np.where(lost & ("accuracy" not in name), np.nan, np.abs(values))
        columns[name] = np.where((epoch == 0) & name.startswith("running"), np.nan, values)
    ids = np.repeat([row["run"] for row in rows], lengths)
    return pa.table({"run": pa.array(ids), "epoch": epoch, **columns})


def predictions(rows: Sequence[dict[str, Any]], rng: np.random.Generator, images: str) -> pa.Table:
    """Return what the networks answer on as many training examples as a real study keeps."""

    def answers() -> dict[str, Any]:
        digits = {name: rng.integers(0, 10, KEPT) for name in ("label", "true_label", "said")}
        probabilities = rng.random(KEPT).astype(np.float16)
        return {**digits, "label_probability": probabilities, "confidence": None}

    common = {"part": "train", "at": None, "example": np.arange(KEPT) * 20}
    tables = []
    for row in rows:
        epochs = range(0, row["epochs"] + 1, BASE["evaluate_every"])
        of_run = [{**common, **answers(), "epoch": epoch} for epoch in epochs]
        tables.append(answers_table(row["run"], of_run, images))
    return concatenate(tables)
