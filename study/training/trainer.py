"""Lightning's Trainer as a study uses it, and what a config names for it."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.loggers import Logger

from study.base.errors import BadInput
from study.nn.products import available
from study.runs.packing import steps
from study.runs.run import Run
from study.runs.study import Study
from study.training.devices import own_devices
from study.training.optimizers import try_optimizer
from study.training.refusals import check_callback


def instantiate(specifications: Sequence[Mapping[str, Any]], kind: type, key: str) -> list[Any]:
    """Make the callbacks or loggers that a config names.

    Each has a ``class_path`` and ``init_args``. Only subclasses of ``kind`` are called.

    Raises
    ------
    BadInput
        A class that cannot be imported, that is of another kind, or that refuses its arguments.
    """
    made = []
    for number, specification in enumerate(specifications):
        path = specification["class_path"]
        module, _, name = path.rpartition(".")
        # Whatever a user's own module or class raises is about what the config names.
        try:
            make = getattr(importlib.import_module(module), name)
            if isinstance(make, type) and issubclass(make, kind):
                made.append(make(**(specification.get("init_args") or {})))
                continue
        except (Exception, SystemExit) as error:
            why = str(error) or type(error).__name__
            expected = "a class and the arguments it takes"
            raise BadInput(f"{key}[{number}]", expected, path, why) from None
        raise BadInput(f"{key}[{number}]", f"a Lightning {kind.__name__}", path)
    return made


def quiet() -> None:
    """Keep Lightning's advice about hardware and loggers out of the study's own output."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"pytorch_lightning(\..*)?")
    # Where Slurm is installed; a study is one process a task, with srun or without.
    warnings.filterwarnings("ignore", message="The `srun` command is available")


def check_classes(study: Study, runs: Sequence[Run]) -> None:
    """Make the Trainer, and try each run's optimizer on a scrap, before anything is written.

    Raises
    ------
    BadInput
        A route of products, optimizer, callback, logger or accelerator that cannot be had.
    """
    if study.products not in ("auto", *available()):
        expected = f"one of auto, {', '.join(available())} with this torch"
        raise BadInput("products", expected, study.products)
    lasting = {(repr(r.optimizer), r.trainer.max_epochs, steps(r)): r for r in runs}
    for (_, epochs, in_each), run in lasting.items():
        try_optimizer(run.optimizer, epochs, in_each)
    wanted = runs[0].trainer
    try:
        make_trainer(runs[0].with_settings({"trainer.callbacks": [], "trainer.logger": []}), [])
    except MisconfigurationException as error:
        expected = "an accelerator of this machine"
        raise BadInput("trainer.accelerator", expected, wanted.accelerator, str(error)) from None
    try:
        make_trainer(runs[0], [])
    except (MisconfigurationException, RuntimeError) as error:
        names = ", ".join(each["class_path"] for each in wanted.callbacks)
        expected = "callbacks that Lightning takes together"
        raise BadInput("trainer.callbacks", expected, names, str(error)) from None


def make_trainer(run: Run, callbacks: Sequence[pl.Callback]) -> pl.Trainer:
    """Return Lightning's Trainer as a study uses it: the stack says when it is done.

    Raises
    ------
    BadInput
        A callback or logger that the run names cannot be made; or a callback draws a progress bar,
        or can stop or change a run.
    """
    wanted = run.trainer
    own: list[pl.Callback] = instantiate(wanted.callbacks, pl.Callback, "trainer.callbacks")
    for number, callback in enumerate(own):
        key = f"trainer.callbacks[{number}]"
        if isinstance(callback, pl.callbacks.ProgressBar):
            expected = "no progress bar, as study.fit shows one for all runs"
            raise BadInput(key, expected, type(callback).__name__, "remove it")
        check_callback(callback, key)
    everyone = [*own, *callbacks]
    return pl.Trainer(
        accelerator=wanted.accelerator,
        devices=own_devices(wanted.accelerator),
        # Under Slurm, too: a study is spread by runs, not by Lightning.
        plugins=[LightningEnvironment()],
        precision=wanted.precision,
        max_epochs=-1,
        callbacks=everyone,
        logger=instantiate(wanted.logger, Logger, "trainer.logger") or False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        # Otherwise Lightning adds a checkpoint of its own, in the working directory.
        enable_checkpointing=any(isinstance(c, pl.callbacks.Checkpoint) for c in everyone),
        enable_progress_bar=False,
        enable_model_summary=any(isinstance(c, pl.callbacks.ModelSummary) for c in everyone),
    )
