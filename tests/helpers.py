"""What several tests need: a small study, training without the command, and equal histories."""

from __future__ import annotations

import contextlib
import gc
import importlib
import itertools
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from study.runs.progress import Progress
from study.runs.run import Run
from study.runs.settings import Data, Model, Trainer
from study.training.stack import Stack
from study.training.stack_data import StackData
from study.training.stack_module import StackModule

SMALL = """
name: small
seeds: 2
vary: {data.label_noise: [0, 1]}
data: {dataset: digits, train_examples: 300}
model: {hidden: [32]}
trainer: {max_epochs: 6}
checkpoint_every: 2
wandb: {mode: off}
"""


# Facts younger than the first records, each with another value than those have.
YOUNGER: dict[str, Any] = {
    "data.validation_examples": 150,
    "model.dropout": 0.3,
    "model.input_dropout": 0.1,
    "model.init_scale": 1.5,
    "model.label_smoothing": 0.1,
}


def small_run(seed: int = 0, noise: float = 1.0, **facts: Any) -> Run:
    """Return a run that trains in a fraction of a second."""
    base = Run(
        seed=seed,
        data=Data(dataset="digits", train_examples=300, label_noise=noise),
        model=Model(hidden=(32,)),
        trainer=Trainer(max_epochs=3),
    )
    return Run.of({**base.facts(), **facts})


def quiet_trainer(**arguments: Any) -> pl.Trainer:
    """Return Lightning's Trainer without output, files or validation."""
    settings = {
        "max_epochs": -1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "limit_val_batches": 0,
    }
    return pl.Trainer(**{**settings, **arguments})


def train_stack(runs: Sequence[Run], size: int | None = None) -> tuple[StackModule, Stack]:
    """Train runs in one stack to their end."""
    progress = iter([Progress(run) for run in runs])
    stack = Stack([*itertools.islice(progress, size)], progress)
    module = StackModule(stack)
    quiet_trainer(precision=runs[0].trainer.precision).fit(module, StackData(stack))
    return module, stack


def same(a: Sequence[dict[str, Any]], b: Sequence[dict[str, Any]]) -> bool:
    """Tell whether two histories are equal to the bit, missing values included."""
    return repr(list(a)) == repr(list(b))


class Terminate(pl.Callback):
    """Sends this process SIGTERM just before training."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


# What a training imports, and pytest, which each process imports as its main module.
PRELOADED = [
    *("pytest", "sklearn.datasets", "pyarrow.parquet", "safetensors.torch"),
    *("study.fit", "study.fitting.before", "study.fitting.session", "study.fitting.after"),
    *("study.terminal.display", "study.terminal.summary", "study.records.reading"),
]


def fake_program(folder: Path, name: str, script: str, patch: pytest.MonkeyPatch) -> None:
    """Put a shell script into a folder that is first on the path."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def fit_process(
    argv: Sequence[str],
    log: Path,
    environment: Mapping[str, str] = {},
    *,
    command: str = "study.fit",
    prepare: Callable[[], None] | None = None,
) -> ForkServerProcess:
    """Start a command in a process of its own, forked from one that has imported everything.

    ``prepare`` is called in it before the command.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    arguments = (command, prepare, list(argv), str(log), dict(environment))
    process = context.Process(target=_run, args=arguments)
    process.start()
    return process


def _run(
    command: str,
    prepare: Callable[[], None] | None,
    argv: list[str],
    log: str,
    environment: dict[str, str],
) -> None:
    gc.freeze()  # a collection would write to all that memory, and so copy it
    if prepare is not None:
        prepare()
    os.environ.update(environment)
    with Path(log).open("a") as file, contextlib.redirect_stdout(file):
        os.dup2(file.fileno(), 2)
        status = importlib.import_module(command).main(argv)
    sys.exit(status)
