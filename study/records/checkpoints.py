"""States of unfinished runs, so that killed and resumed is the same as never killed.

checkpoints/<run>.0.safetensors and .1 are the two newest states of a run, written in turns. Each
has the run's tensors, and in its metadata how far the run has come, its history, and a checksum of
it all. A file is found by its run alone, so whoever goes on with a run needs to know nobody, and it
does not matter in which stack the run was trained before.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json
from safetensors import SafetensorError, safe_open

from study.base.errors import BadInput
from study.base.files import open_regular, refuse_link, sha256, write_whole
from study.records.arrays import safetensors, tensor_bytes
from study.runs.progress import Progress
from study.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "study.checkpoint.2"
KEPT = (0, 1)


class Checkpoints:
    """The checkpoints in a study's folder.

    Parameters
    ----------
    folder
        The study's folder. Its ``checkpoints/`` must be no link: `BadInput`.
    say
        Shows a line, e.g. about a damaged file that is not used.
    engine
        What trains the runs; states that another engine has saved have other bits.
    """

    def __init__(self, folder: Path, say: Callable[[str], None], engine: str = "stack") -> None:
        self.folder, self.say, self.engine = folder / "checkpoints", say, engine
        refuse_link(self.folder)
        self._next: dict[str, int] = {}

    def write(self, progress: Progress, state: Mapping[str, Tensor]) -> None:
        """Save a run, in place of the older one of its two checkpoints."""
        run, text = progress.run.id, json.dumps(progress.plain())
        saved = progress.tensors(state)
        tensors = {name: tensor.cpu().contiguous() for name, tensor in saved.items()}
        checksum = _checksum(run, text, tensors)
        metadata = {"format": FORMAT, "engine": self.engine, "progress": text, "checksum": checksum}
        turn = self._next.get(run, 0)
        write_whole(self._path(run, turn), safetensors(tensors, metadata))
        self._next[run] = 1 - turn

    def take_up(self, run: Run) -> Progress:
        """Return a run as its newest sound checkpoint left it, or at its beginning."""
        progress, states = Progress(run), {}
        for turn in KEPT:
            if found := self._read(run.id, turn):
                states[turn] = found
        if states:
            newest = max(states, key=lambda turn: states[turn][0]["epoch"])
            progress.resume(*states[newest])
            self._next[run.id] = 1 - newest
        return progress

    def remove(self, runs: Iterable[str]) -> None:
        """Remove the checkpoints of runs that have ended."""
        for run in runs:
            self._next.pop(run, None)
            for turn in KEPT:
                self._path(run, turn).unlink(missing_ok=True)

    def _path(self, run: str, turn: int) -> Path:
        return self.folder / f"{run}.{turn}.safetensors"

    def _read(self, run: str, turn: int) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        """Return how far a checkpoint's run has come, and its tensors; None without a sound one."""
        path = self._path(run, turn)
        try:
            open_regular(path).close()  # safe_open would wait for a FIFO
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no dict: it is not iterable
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError, ValueError):
            metadata, tensors = {}, {}
        text = metadata.get("progress", "")
        sound = metadata.get("checksum") == _checksum(run, text, tensors)
        if sound and metadata.get("engine", self.engine) != self.engine:
            self.say(f"{path}: saved by the {metadata['engine']} engine; the run begins again")
            return None
        if sound and metadata.get("format") == FORMAT:
            with contextlib.suppress(ValueError, TypeError, KeyError):
                progress: dict[str, Any] = from_json(text)
                if progress["epoch"] >= 0 and isinstance(progress["history"], list):
                    return progress, tensors
        self.say(f"{path}: damaged, or no checkpoint of this version; not used")
        return None


def saved_runs(folder: Path) -> set[str]:
    """Return the ids of the runs that have a checkpoint in a study's folder."""
    return {
        path.name.partition(".")[0] for path in (folder / "checkpoints").glob("*.?.safetensors")
    }


def check_format(folder: Path) -> None:
    """Raise `BadInput` for checkpoints of the first version, whose files were named by tasks."""
    for path in (folder / "checkpoints").glob("*-*-*.safetensors"):
        hint = "finish the study with the version that began it, or remove the folder to train its "
        hint += "unfinished runs from their beginning"
        raise BadInput(str(path.parent), "checkpoints of this version", path.name, hint)


def _checksum(run: str, text: str, tensors: Mapping[str, Tensor]) -> str:
    parts = [run.encode(), text.encode()]
    for name in sorted(tensors):
        parts += [name.encode(), tensor_bytes(tensors[name])]
    return sha256(parts)
