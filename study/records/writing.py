"""Writes a study's folder: every file appears by rename, and none is overwritten.

study.yaml                  the config with every value written out; it runs again
claims.json                 what was claimed when the first run began, see `study.records.ledgers`
runs/<part>.parquet         a row for each run that ended
history/<part>.parquet      a row for each evaluated epoch of those runs
answers/<part>.parquet      those networks' answers, see `study.records.predictions`
images/<hash>.npy           the training examples of those, once for each condition
measures/<part>.parquet     columns of ``history`` that recorded runs lacked
sources/<data set>.json     the checksum of the data that the study began with
environment/<hash>.json     code, machine and versions, a file for each that trained runs
weights/<run>.safetensors   a trained network's weights
checkpoints/                the states of unfinished runs; removed when they end
progress/<task>.jsonl       what a task does, and the epochs of its unfinished runs
locks/                      empty files whose bytes tasks lock; see `study.sharing.locks`

A part is the records of some runs that ended together: see `study.records.parquet`.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.base.errors import BadInput, NotPermitted
from study.base.files import gone, read_json, read_regular, sha256, write_first, write_whole
from study.measures import Measure
from study.records.arrays import npy, safetensors
from study.records.hashes import with_hashes
from study.records.ledgers import FILE, statement
from study.records.measured import Lacking, lacking
from study.records.once import read_parts
from study.records.parquet import as_table, concatenate, ended_runs, merge_parts, write_part
from study.records.predictions import kind_of
from study.records.reading import read_config
from study.runs.progress import FAILED

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray
    from torch import Tensor


class Folder:
    """A study's folder, to write to.

    Parameters
    ----------
    path
        The folder; it need not exist.
    name
        The study's name.

    Attributes
    ----------
    writer : str
        The name of the task that writes, once it is known; see `study.records.parquet.write_part`.

    Raises
    ------
    BadInput
        The path is a file, another study's, something else's, or not writable.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.writer = path, ""
        self._written: list[str] = []
        self._ended: dict[str, list[tuple[Any, ...]]] = {}
        self._unmeasured: dict[str, Lacking] = {}
        check_folder(path, name)

    def begin(self, config: str) -> None:
        """Create the folder and write the config; number and keep an earlier one that differs."""
        self.path.mkdir(parents=True, exist_ok=True)  # the only time: nobody makes it again
        path = self.path.resolve()  # a link to the study's folder is the user's own, none below it
        target = path / "study.yaml"
        earlier = read_regular(target, top=True).decode() if os.path.lexists(target) else None
        if earlier == config:
            return
        if earlier is not None:
            number = 1
            while os.path.lexists(path / f"study.{number}.yaml"):
                number += 1
            write_whole(path / f"study.{number}.yaml", earlier.encode())
        write_whole(target, config.encode())

    def state(self, ledgers: Sequence[Mapping[str, Any]]) -> None:
        """Write down what is claimed today; another task may have done it."""
        write_first(self.path.resolve() / FILE, statement(ledgers))

    def check_there(self) -> None:
        """Raise when the folder has been removed, or is being removed, since it was begun.

        Raises
        ------
        FileNotFoundError
            It has.
        """
        try:
            there = (self.path / "study.yaml").exists()
        except OSError:  # a file server that fails for a moment
            return
        if not there:
            raise gone(self.path)

    def check_source(self, dataset: str, checksum: str, *, begin: bool = False) -> None:
        """Check that a data set is still the one that this study began with.

        Parameters
        ----------
        dataset
            Its name.
        checksum
            The sha256 of its content now.
        begin
            Write the checksum down if this study has none yet.

        Raises
        ------
        BadInput
            The content has changed: the study would mix runs trained on both.
        """
        path = self.path / "sources" / f"{dataset}.json"
        if not begin and not path.exists():
            return
        write_first(path, json.dumps({"sha256": checksum}).encode())
        first = str(read_json(path, "the checksum of a data set").get("sha256"))
        if first != checksum:
            raise BadInput(
                "data.dataset",
                f"{dataset} as this study began with, sha256 {first[:16]}…",
                f"{checksum[:16]}…",
                f"its files have changed: restore them, or choose another --out than {self.path}",
            )

    def write_environment(self, environment: Mapping[str, Any]) -> str:
        """Write an environment and return its hash, by which rows refer to it."""
        content = json.dumps(environment, indent=2, sort_keys=True).encode()
        name = sha256([content])[:12]
        write_whole(self.path / "environment" / f"{name}.json", content)
        return name

    def weights(self, run: str) -> Path:
        """Return where a trained network is kept."""
        return self.path / "weights" / f"{run}.safetensors"

    def write_weights(self, run: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep a trained network's weights, and nothing else: equal weights give equal bytes."""
        write_whole(self.weights(run), safetensors(tensors))

    def write_images(self, images: NDArray[np.uint8]) -> str:
        """Keep some images and return their hash, by which predictions refer to them."""
        name, content = npy(images)
        path = self.path / "images" / f"{name}.npy"
        if not path.exists():
            write_whole(path, content)
        return name

    def write_part(
        self,
        rows: Sequence[Mapping[str, Any]],
        history: Sequence[Mapping[str, Any]],
        predictions: Sequence[pa.Table] = (),
    ) -> None:
        """Write the rows of runs that ended, histories and predictions as one part, with hashes."""
        # A run that failed has no history, and a part always has one.
        epochs = as_table(history) if history else as_table([{"run": "", "epoch": 0}]).slice(1)
        answers = concatenate(list(predictions)) if predictions else None
        tables = {"history": epochs, "runs": with_hashes(as_table(rows), epochs, answers)}
        if answers is not None:
            tables[kind_of(answers)] = answers
        self._written.append(write_part(self.path, tables, self.writer))

    def merge(self) -> None:
        """Make one part of all that this process wrote, because many small ones read slowly."""
        if len(self._written) > 1:
            self._written = merge_parts(self.path, self._written, self.writer)

    def ended(self) -> set[str]:
        """Return the ids of runs that have ended: those with a row and a history.

        Not those that failed, which the next start trains again.

        Raises
        ------
        BadInput, OSError
            Records that cannot be read; a run in them may have ended.
        """
        return {run for run, status in self._rows() if status != FAILED}

    def failed(self) -> set[str]:
        """Return the ids of runs that have failed, be it that they were trained again since."""
        return {run for run, status in self._rows() if status == FAILED}

    def _rows(self) -> list[tuple[Any, ...]]:
        return ended_runs(self.path, ["run", "status"], self._ended)

    def unmeasured(self, measures: Mapping[str, Measure]) -> Lacking:
        """Return which of the measures a study asks for runs that have ended lack, by their ids.

        Raises
        ------
        BadInput, OSError
            Records that cannot be read.
        """
        return lacking(self.path, measures, self._unmeasured)

    def done(self, measures: Mapping[str, Measure]) -> set[str]:
        """Return the ids of runs that have ended and lack none of the measures asked for."""
        return self.ended() - self.unmeasured(measures).keys()

    def weights_hashes(self) -> dict[str, str]:
        """Return the hash of the weights of each run that has ended, by its id.

        Of a run with two records it is that of the one that is read, so that columns that are added
        to a run's history belong to the same training.
        """
        columns = ["run", "status", "weights_hash"]
        tables = [table.select(columns) for table in read_parts(self.path)["runs"]]
        rows = [row for table in tables for row in table.to_pylist()]
        return {row["run"]: row["weights_hash"] for row in rows if row["status"] != FAILED}


def check_folder(path: Path, name: str) -> None:
    """Raise `BadInput` when ``path`` cannot become, or is not, the folder of the study ``name``."""
    other = "choose another --out"
    try:
        existing = path
        while not (existing.exists() or existing.is_symlink()):
            existing = existing.parent
        if not existing.is_dir():
            raise BadInput("out", "a folder", hint=f"{existing} is a file: {other}")
        if existing == path:
            _check_content(path, name, other)
        with tempfile.TemporaryFile(dir=existing, prefix="."):
            pass
    except OSError as error:
        expected = "a folder that can be written to"
        raise BadInput("out", expected, str(path), f"{error.strerror}: {other}") from None


def _check_content(path: Path, name: str, other: str) -> None:
    if not (path / "study.yaml").exists():
        # A task that begins the study writes files whose names begin with a dot. Slurm's logs may
        # be there before any task.
        others = [i for i in path.iterdir() if not i.name.startswith(".") and i.name != "slurm"]
        if others and not (path / "study.yaml").exists():  # again: it may have begun meanwhile
            hint = f"{path} has other files: {other}"
            raise BadInput("out", "an empty folder or a study's", hint=hint)
        return
    try:
        found = read_config(path)["name"]
    except NotPermitted:
        raise
    except BadInput:
        hint = f"study.yaml in {path} is no study's config: {other}"
        raise BadInput("out", "a study's folder", hint=hint) from None
    if found != name:
        hint = f"{path} is that of '{found}': {other} or --name"
        raise BadInput("out", f"the folder of study '{name}'", hint=hint)
