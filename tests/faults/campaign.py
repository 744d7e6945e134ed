"""A study that faults are injected into: its processes, its folder, and what they did."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as pl
from fit_cases import compare
from helpers import SMALL, fit_process
from safetensors.torch import load_file

from study.base.files import PART
from study.records.arrays import tensor_bytes
from study.records.live import tasks_of
from study.records.predictions import load_predictions
from study.training.stack_module import StackModule

EPOCHS = 40  # enough for kills at random moments
BRIEF = 8  # where the moment is a step of the program
SECONDS = 120.0


class Begun(pl.callbacks.Checkpoint):
    """Notes each epoch of each run that a process begins, as a line that no kill can tear.

    A `Checkpoint`, as no other callback may look on at the batches of a stack.

    Parameters
    ----------
    path
        Where to.
    """

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Write a line a run."""
        assert isinstance(pl_module, StackModule)
        if batch_idx == 0:
            slots = [pl_module.stack.slots[index] for index in pl_module.stack.training]
            lines = [f"{os.getpid()} {slot.run.id} {slot.epoch}\n" for slot in slots]
            os.write(self._file, "".join(lines).encode())


@dataclass
class Trial:
    """A study in a folder of its own.

    Attributes
    ----------
    place
        Holds the study's folder, unless that is given as ``out``, its config and its logs.
    options
        Options of every start.
    config
        The study.
    epochs
        How long each run is trained.
    logs
        What each process printed, in the order they were started.
    """

    place: Path
    options: tuple[str, ...] = ()
    config: str = SMALL
    folder: Path | None = None
    epochs: int = EPOCHS
    logs: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        watching = [{"class_path": "campaign.Begun", "init_args": {"path": str(self.trace)}}]
        trainer = f"trainer: {{max_epochs: {self.epochs}, callbacks: {watching}}}"
        text = re.sub(r"trainer: .*", trainer, self.config)
        (self.place / "study.yaml").write_text(text)

    @property
    def out(self) -> Path:
        """The study's folder."""
        return self.folder or self.place / "out"

    @property
    def trace(self) -> Path:
        """Where `Begun` writes."""
        return self.place / "begun"

    def start(
        self,
        *options: str,
        prepare: Callable[[], None] | None = None,
        environment: Mapping[str, str] = {},
    ) -> ForkServerProcess:
        """Start a process; ``prepare`` is called in it before the command."""
        log = self.place / f"log{len(self.logs)}"
        self.logs.append(log)
        argv = ["--config", str(self.place / "study.yaml"), "--out", str(self.out)]
        argv += [*self.options, *options]
        return fit_process(argv, log, environment, prepare=prepare)

    def finish(self, *options: str, status: int = 0, **how: Any) -> str:
        """Run a process to its end, hold it to an exit status, and return what it printed."""
        return self.end(self.start(*options, **how), status)

    def end(self, process: ForkServerProcess, status: int = 0) -> str:
        """Wait for the end of the last process, and return what it printed."""
        process.join(SECONDS)
        said = self.said()
        assert process.exitcode == status, said
        assert "Traceback" not in said, said
        return said

    def said(self) -> str:
        """Return what the last process printed."""
        return self.logs[-1].read_text() if self.logs[-1].exists() else ""

    def begun(self) -> dict[str, dict[int, list[int]]]:
        """Return the epochs that were begun, by run and process, in order."""
        found: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        lines = self.trace.read_text().splitlines() if self.trace.exists() else []
        for pid, run, epoch in (line.split() for line in lines):
            found[run][int(pid)].append(int(epoch))
        return found

    def redone(self) -> int:
        """Return the most epochs of a run that were begun again after one fault; none is left out.

        A process's epochs of a run follow each other, and begin where the one before it was, or
        earlier.
        """
        most = 0
        for processes in self.begun().values():
            reached = 0
            for epochs in processes.values():
                assert epochs == list(range(epochs[0], epochs[-1] + 1))
                assert epochs[0] <= reached
                most = max(most, reached - epochs[0])
                reached = epochs[-1] + 1
            assert reached == self.epochs
        return most

    def parts(self) -> set[Path]:
        """Return the files being written, or left so by a kill."""
        return set(self.out.rglob(f".*{PART}"))

    def ended(self) -> int:
        """Return how many runs its tasks say they recorded."""
        return sum(task["ended"] for task in tasks_of(self.out))


def same(whole: Trial, other: Trial) -> None:
    """Assert that a study has the bits of an undisturbed one."""
    compare(whole.out, other.out)
    for at in (0, 1, "fit", "last"):
        predictions = [
            load_predictions(each.out, at=at).sort_values(["run", "part", "example"])
            for each in (whole, other)
        ]
        assert len(predictions[0]) or at == "fit"
        frames = [each.reset_index(drop=True) for each in predictions]
        pd.testing.assert_frame_equal(*frames, check_exact=True)
    weights = [_weights(each.out) for each in (whole, other)]
    assert weights[0] == weights[1]


def tidy(trial: Trial, left: Collection[Path] = ()) -> None:
    """Assert that states are gone, all but what is ``left``."""
    assert set((trial.out / "checkpoints").glob("*.safetensors")) == set(left)


def _weights(folder: Path) -> dict[tuple[str, str], bytes]:
    """Return the bytes of all kept networks, by run and tensor."""
    return {
        (path.stem, name): tensor_bytes(tensor)
        for path in (folder / "weights").glob("*.safetensors")
        for name, tensor in load_file(path).items()
    }


def wait_until(
    condition: Callable[[], object], process: ForkServerProcess, every: float = 0.001
) -> bool:
    """Wait for something while a process runs; return whether it came."""
    end = time.monotonic() + SECONDS
    while not condition():
        if process.exitcode is not None:
            return False
        assert time.monotonic() < end, "waited too long"
        time.sleep(every)
    return True
