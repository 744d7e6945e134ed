"""States of unfinished runs, so that killed and resumed is the same as never killed.

A checkpoint is one safetensors file: tensors ``<run>/<name>`` for each unfinished run of a stack,
and in its metadata how far each has come, its history, and a checksum of it all. Since a run does
not feel its neighbours, a run may be taken up in another stack than it was saved in.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from study.files import sha256, write_whole
from study.folder import tensor_bytes
from study.run import Run
from study.stack import Slot

FORMAT = "study.checkpoint.1"
KEPT = 2  # the newest, and the one before it should the newest turn out damaged


class CheckpointWriter:
    """Writes the checkpoints of one stack, and takes its own old ones away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkpoints"
        self._writer = uuid4().hex[:12]
        self._count = 0

    def write(self, slots: Mapping[str, tuple[Slot, Mapping[str, Tensor]]]) -> None:
        """Save the state of each slot, under its run's id."""
        progress = {run: slot.progress() for run, (slot, _) in slots.items()}
        tensors = {
            f"{run}/{name}": tensor.cpu().contiguous()
            for run, (_, state) in slots.items()
            for name, tensor in state.items()
        }
        text = json.dumps(progress)
        metadata = {"format": FORMAT, "progress": text, "checksum": _checksum(text, tensors)}
        self._count += 1
        name = f"{self._writer}-{self._count:06d}.safetensors"
        write_whole(self.folder / name, save(tensors, metadata))
        old = f"{self._writer}-{self._count - KEPT:06d}.safetensors"
        (self.folder / old).unlink(missing_ok=True)
        if self._count == KEPT:
            self._supersede({run: slot.epoch for run, (slot, _) in slots.items()})

    def _supersede(self, epochs: Mapping[str, int]) -> None:
        """Take away what earlier processes saved, where this one has come as far."""
        for path in self.folder.glob("*.safetensors"):
            if not path.name.startswith(self._writer):
                saved = _progress(path)
                if saved and all(e["epoch"] <= epochs.get(run, -1) for run, e in saved.items()):
                    path.unlink(missing_ok=True)


def _checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    return sha256([text.encode(), *(tensor_bytes(tensors[name]) for name in sorted(tensors))])


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


def resume(folder: Path, runs: Sequence[Run], say: Callable[[str], None]) -> list[Slot]:
    """Return a slot for each run: where its newest sound checkpoint left it, or at its start.

    A file that is torn, damaged or something else's is refused with a line, and the newest one
    before it that holds the run is used.
    """
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in sorted((folder / "checkpoints").glob("*.safetensors")):
        saved = _progress(path)
        if not saved:
            say(f"{path}: not a study's checkpoint, or a damaged one; refused")
        for run_id, entry in saved.items():
            found.setdefault(run_id, []).append((entry["epoch"], path))
    opened: dict[Path, dict[str, tuple[dict[str, Any], dict[str, Tensor]]] | None] = {}
    slots = []
    for run in runs:
        slot = Slot(run)
        for _, path in sorted(found.get(run.id, []), reverse=True):
            if path not in opened:
                opened[path] = _read(path)
                if opened[path] is None:
                    say(f"{path}: its checksum does not hold; refused, the one before it is used")
            content = opened[path]
            if content is not None:
                slot.resume(*content[run.id])
                break
        slots.append(slot)
    return slots


def _read(path: Path) -> dict[str, tuple[dict[str, Any], dict[str, Tensor]]] | None:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no dict: it is not iterable
    except (SafetensorError, OSError):
        return None
    if metadata.get("checksum") != _checksum(metadata["progress"], tensors):
        return None
    content: dict[str, tuple[dict[str, Any], dict[str, Tensor]]] = {
        run: (entry, {}) for run, entry in json.loads(metadata["progress"]).items()
    }
    for name, tensor in tensors.items():
        run, _, rest = name.partition("/")
        content[run][1][rest] = tensor
    return content


def discard(folder: Path, ended: Iterable[str]) -> None:
    """Take away checkpoints that hold nothing but runs that ended."""
    ended = set(ended)
    for path in (folder / "checkpoints").glob("*.safetensors"):
        progress = _progress(path)
        if progress and set(progress) <= ended:
            path.unlink(missing_ok=True)
