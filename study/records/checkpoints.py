"""States of unfinished runs, so that killed and resumed is the same as never killed.

A checkpoint is one safetensors file: tensors ``<run>/<name>`` for each unfinished run of a stack,
and in its metadata how far each has come, its history, and a checksum of it all. Since a run does
not feel its neighbours, a run may be taken up in another stack than it was saved in.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from safetensors import SafetensorError, safe_open
from torch import Tensor

from study.base.files import sha256, write_whole
from study.records.writing import safetensors, tensor_bytes
from study.runs.progress import Progress
from study.runs.run import Run

FORMAT = "study.checkpoint.1"
KEPT = 2  # the newest, and the one before it should the newest turn out damaged


class CheckpointWriter:
    """Writes the checkpoints of one stack, and takes old ones away.

    Parameters
    ----------
    folder
        The study's folder.
    task
        The task that trains the stack.
    saved
        Where its runs were taken up from; what this stack has outdone of that goes.
    """

    def __init__(self, folder: Path, task: str, saved: Saved | None = None) -> None:
        self.folder = folder / "checkpoints"
        self._writer = f"{task}-{uuid4().hex[:6]}"
        self._saved = saved
        self._count = 0

    def write(self, slots: Mapping[str, tuple[Progress, Mapping[str, Tensor]]]) -> None:
        """Save the state of each slot, under its run's id."""
        progress = {run: slot.plain() for run, (slot, _) in slots.items()}
        tensors = {
            f"{run}/{name}": tensor.cpu().contiguous()
            for run, (_, state) in slots.items()
            for name, tensor in state.items()
        }
        text = json.dumps(progress)
        metadata = {"format": FORMAT, "progress": text, "checksum": _checksum(text, tensors)}
        self._count += 1
        name = f"{self._writer}-{self._count:06d}.safetensors"
        write_whole(self.folder / name, safetensors(tensors, metadata))
        old = f"{self._writer}-{self._count - KEPT:06d}.safetensors"
        (self.folder / old).unlink(missing_ok=True)
        if self._count == KEPT and self._saved:
            self._saved.discard({run: slot.epoch for run, (slot, _) in slots.items()})

    def close(self) -> None:
        """Take this stack's checkpoints away: all its runs have ended."""
        for path in self.folder.glob(f"{self._writer}-*.safetensors"):
            path.unlink(missing_ok=True)


def _checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    parts = [text.encode()]
    for name in sorted(tensors):
        parts += [name.encode(), tensor_bytes(tensors[name])]
    return sha256(parts)


def _header(path: Path) -> dict[str, str]:
    """Read a safetensors file's metadata without its tensors; {} when there is none."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, 100_000_000)))
            metadata = header.get("__metadata__", {})
    except (OSError, ValueError, struct.error, AttributeError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def _progress(path: Path) -> dict[str, dict[str, Any]]:
    metadata = _header(path)
    try:
        progress = json.loads(metadata["progress"]) if metadata.get("format") == FORMAT else {}
        return {run: entry for run, entry in progress.items() if entry["epoch"] >= 0}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def saved_runs(path: Path) -> set[str]:
    """Return the runs that a checkpoint holds; none when it is damaged or something else's."""
    return set(_progress(path))


class Saved:
    """Checkpoints that tasks left in a study's folder, to take runs up from.

    A file that is torn, damaged or something else's is refused with a line, and the newest one
    before it that holds the run is used.

    Parameters
    ----------
    folder
        The study's folder.
    say
        Shows a line.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder = folder / "checkpoints"
        self._say = say
        self._progress: dict[Path, dict[str, dict[str, Any]]] = {}
        self._sound: dict[Path, bool] = {}

    def slot(self, run: Run, tasks: Iterable[str]) -> Progress:
        """Return a slot for a run: where some tasks' newest sound checkpoint left it, or new."""
        slot = Progress(run)
        found = []
        for path in [p for task in tasks for p in self.folder.glob(f"{task}-*.safetensors")]:
            if path not in self._progress:
                self._progress[path] = _progress(path)
                if not self._progress[path]:
                    self._say(f"{path}: not a study's checkpoint, or a damaged one; refused")
            if run.id in self._progress[path]:
                found.append((self._progress[path][run.id]["epoch"], path.name, path))
        for _, _, path in sorted(found, reverse=True):
            content = self._read(path, run.id)
            if content is not None:
                slot.resume(self._progress[path][run.id], content)
                break
        return slot

    def _read(self, path: Path, run: str) -> dict[str, Tensor] | None:
        """Return a run's tensors, once the checksum over all of the file holds."""
        try:
            if path not in self._sound:
                self._sound[path] = _sound(path)
            if self._sound[path]:
                with safe_open(path, "pt") as file:
                    names = [name for name in file.keys() if name.startswith(f"{run}/")]  # noqa: SIM118  # no dict: it is not iterable
                    return {name.partition("/")[2]: file.get_tensor(name) for name in names}
        except FileNotFoundError:
            return None  # whoever trains the run by now has come further
        except (SafetensorError, OSError, KeyError):
            self._sound[path] = False
        self._say(f"{path}: its checksum does not hold; refused, the one before it is used")
        self._progress[path] = {}
        return None

    def discard(self, epochs: Mapping[str, float]) -> None:
        """Take away files whose every run has come as far, or has ended (then give infinity)."""
        for path, progress in list(self._progress.items()):
            if progress and all(e["epoch"] <= epochs.get(run, -1) for run, e in progress.items()):
                path.unlink(missing_ok=True)
                del self._progress[path]


def _sound(path: Path) -> bool:
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # the same
    return bool(metadata["checksum"] == _checksum(metadata["progress"], tensors))
