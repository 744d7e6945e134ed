"""A study's folder, to write to: every file appears by rename, none is overwritten.

study.yaml                  the config, every value written out; it runs again
runs/<part>.parquet         one row a run that ended
history/<part>.parquet      one row an evaluated epoch of those runs
predictions/<part>.parquet  what those networks say of a few hundred fixed examples
images/<hash>.npy           some of those examples, to look at
sources/<data set>.json     checksum of the data the study began with
environment/<hash>.json     machine and versions, one file for each that trained runs
weights/<run>.safetensors   the trained network
checkpoints/                states of unfinished runs; gone when they end
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from study.base.errors import BadInput
from study.base.files import gone, sha256, write_first, write_whole
from study.records.parquet import as_table, merge_parts, recorded_ids, write_part
from study.records.reading import read_config
from study.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor


MOST_IMAGES = 64  # files of them


class Folder:
    """A study's folder, to write to.

    Parameters
    ----------
    path
        The folder; it need not exist.
    name
        The study's name.

    Raises
    ------
    BadInput
        The path is a file, another study's, something else's, or not writable.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self._written: list[str] = []
        self._ids: dict[str, list[str]] = {}
        check_folder(path, name)

    def begin(self, config: str) -> None:
        """Create the folder and write the config; a different earlier one is kept, numbered."""
        self.path.mkdir(parents=True, exist_ok=True)  # the only time: nobody makes it again
        target = self.path / "study.yaml"
        earlier = target.read_text(encoding="utf-8") if target.exists() else None
        if earlier == config:
            return
        if earlier is not None:
            number = 1
            while (self.path / f"study.{number}.yaml").exists():
                number += 1
            write_whole(self.path / f"study.{number}.yaml", earlier.encode())
        write_whole(target, config.encode())

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
        """Hold a data set's content to what this study began with; ``begin`` it if it has not.

        Raises
        ------
        BadInput
            Other content: runs trained on both would be mixed.
        """
        path = self.path / "sources" / f"{dataset}.json"
        if not begin and not path.exists():
            return
        content = write_first(path, json.dumps({"sha256": checksum}).encode())
        first = json.loads(content)["sha256"]
        if first != checksum:
            raise BadInput(
                "data.dataset",
                f"{dataset} as this study began with, sha256 {first[:16]}…",
                f"{checksum[:16]}…",
                f"its files have changed: restore them, or choose another --out than {self.path}",
            )

    def write_environment(self, environment: Mapping[str, Any]) -> str:
        """Write an environment once and return the hash that rows refer to it by."""
        content = json.dumps(environment, indent=2, sort_keys=True).encode()
        name = sha256([content])[:12]
        write_whole(self.path / "environment" / f"{name}.json", content)
        return name

    def weights(self, run: str) -> Path:
        """Return where a trained network is kept."""
        return self.path / "weights" / f"{run}.safetensors"

    def write_weights(self, run: Run, tensors: Mapping[str, Tensor]) -> None:
        """Keep a trained network."""
        content = safetensors(tensors, {"run": run.id, "activation": run.model.activation})
        write_whole(self.weights(run.id), content)

    def write_images(self, images: NDArray[np.uint8]) -> str | None:
        """Keep some images and return the name that predictions refer to them by.

        None where there are enough to look at: of thousands of runs each may see its own.
        """
        content = io.BytesIO()
        np.save(content, images)
        name = sha256([content.getvalue()])[:12]
        present = {path.stem for path in (self.path / "images").glob("*.npy")}
        if name not in present and len(present) >= MOST_IMAGES:
            return None
        write_whole(self.path / "images" / f"{name}.npy", content.getvalue())
        return name

    def write_part(
        self,
        rows: Sequence[Mapping[str, Any]],
        history: Sequence[Mapping[str, Any]],
        predictions: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Write the rows of runs that ended, of their epochs, and of what they say of examples."""
        tables = {"history": as_table(history), "runs": as_table(rows)}
        if predictions:
            tables["predictions"] = as_table(predictions)
        self._written.append(write_part(self.path, tables))

    def merge(self) -> None:
        """Make one part of all that this process wrote: of many small ones reading is slow."""
        if len(self._written) > 1:
            self._written = [merge_parts(self.path, self._written)]

    def ended(self) -> set[str]:
        """Return the ids of runs that have a row."""
        return recorded_ids(self.path, self._ids)


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
        # A file that begins with a dot may be another task's that begins the study just now.
        others = [item for item in path.iterdir() if not item.name.startswith(".")]
        if others and not (path / "study.yaml").exists():  # still: another task may have begun it
            hint = f"{path} has other files: {other}"
            raise BadInput("out", "an empty folder or a study's", hint=hint)
        return
    try:
        found = read_config(path)["name"]
    except BadInput:
        hint = f"study.yaml in {path} is no study's config: {other}"
        raise BadInput("out", "a study's folder", hint=hint) from None
    if found != name:
        hint = f"{path} is that of '{found}': {other} or --name"
        raise BadInput("out", f"the folder of study '{name}'", hint=hint)


def safetensors(tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> bytes:
    """Return tensors as the content of a safetensors file.

    Raises
    ------
    MemoryError
        The content does not fit the memory.
    """
    from safetensors.torch import save

    try:
        return bytes(save(dict(tensors), metadata))
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # which the library exports nowhere
            raise
        raise MemoryError(str(error)) from None


def weights_hash(tensors: Mapping[str, Tensor]) -> str:
    """Return the sha256 of a network's weights, in the order of their names."""
    return sha256(tensor_bytes(tensors[name]) for name in sorted(tensors))


def tensor_bytes(tensor: Tensor) -> bytes:
    """Return a tensor's elements as bytes, in order."""
    return tensor.detach().cpu().contiguous().numpy().tobytes()
