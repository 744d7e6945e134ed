"""Train the runs of a study that have no row yet, stack by stack, and record each as it ends."""

from __future__ import annotations

import importlib
import json
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.loggers import Logger

from study import checkpoints
from study.checks import BadInput
from study.data.module import StudyData
from study.data.prepare import DataCache
from study.engine import chosen_routes
from study.environment import environment, recorded_routes
from study.folder import Folder, weights_hash
from study.interrupt import Interrupt, StoppedAtOnce
from study.module import StudyModule
from study.nn.optimizers import make_optimizer
from study.nn.products import available
from study.plan import StackPlan
from study.run import Run
from study.stack import Slot, Stack
from study.study import Study


class Recorder(pl.callbacks.Checkpoint):
    """Writes the rows of runs that ended, and checkpoints of those that have not.

    A Lightning `Checkpoint`, so that it comes after the module's own end of an epoch.
    """

    def __init__(
        self,
        study: Study,
        folder: Folder,
        interrupt: Interrupt,
    ) -> None:
        self.study, self.folder = study, folder
        self.interrupt = interrupt
        self.environment_hash = ""
        self.writer = checkpoints.CheckpointWriter(folder.path)
        self._recorded: set[str] = set()
        self._since_checkpoint = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record where this stack is trained."""
        assert isinstance(pl_module, StudyModule)
        # Lightning has just taken SIGTERM, to leave without saving and with exit status 0.
        self.interrupt.arm()
        device, routes = trainer.strategy.root_device, pl_module.engine.routes
        here = environment(pl_module.stack.first, device, routes)
        self.environment_hash = self.folder.write_environment(here)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record what ended, and save the rest when it is time."""
        assert isinstance(pl_module, StudyModule)
        stack = pl_module.stack
        ended = [
            index
            for index, slot in enumerate(stack.slots)
            if not slot.training and slot.run.id not in self._recorded
        ]
        if ended:
            self._record(pl_module, ended)
        self._since_checkpoint += 1
        if self._since_checkpoint >= self.study.checkpoint_every:
            self._checkpoint(pl_module)
        if self.interrupt.requested:
            trainer.should_stop = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save what was stopped before its end, by a signal or by a callback of the user's."""
        assert isinstance(pl_module, StudyModule)
        if self._since_checkpoint:
            self._checkpoint(pl_module)

    def _checkpoint(self, module: StudyModule) -> None:
        self._since_checkpoint = 0
        slots = module.stack.slots
        states = {
            slots[index].run.id: (slots[index], module.engine.save(index))
            for index in module.stack.training
        }
        if states:
            self.writer.write(states)

    def _record(self, module: StudyModule, indices: Sequence[int]) -> None:
        rows, history, predictions = [], [], []
        for index in indices:
            slot = module.stack.slots[index]
            weights = weights_of(module.engine.save(index))
            if self.study.keep_weights:
                self.folder.write_weights(slot.run, weights)
            rows.append(self._row(module, slot, weights))
            history += slot.history
            predictions += self._predictions(module, index)
            self._recorded.add(slot.run.id)
        self.folder.write_part(rows, history, predictions)

    def _predictions(self, module: StudyModule, index: int) -> list[dict[str, Any]]:
        rows, images = module.predictions(index)
        name = self.folder.write_images(images)
        run = module.stack.slots[index].run.id
        return [
            {"run": run, **row, "images": None if row["place"] is None else name} for row in rows
        ]

    def _row(
        self, module: StudyModule, slot: Slot, weights: Mapping[str, torch.Tensor]
    ) -> dict[str, Any]:
        data = module.study_data
        assert data is not None
        data_hash, labels_hash = data.tensors(slot).hashes
        return {
            "run": slot.run.id,
            **slot.run.facts(),
            "facts": json.dumps(slot.run.facts()),
            "status": slot.status,
            "epochs": slot.epoch,
            "epochs_to_fit": slot.epochs_to_fit,
            "parameters": slot.run.parameters,
            "seconds": slot.seconds,
            "data_hash": data_hash,
            "labels_hash": labels_hash,
            "weights_hash": weights_hash(weights),
            "environment": self.environment_hash,
        }


def weights_of(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the network's tensors in a run's state, without the optimizer's."""
    return {k: v.cpu() for k, v in state.items() if not k.startswith("optimizer.")}


def instantiate(specifications: Sequence[Mapping[str, Any]], kind: type, key: str) -> list[Any]:
    """Make the callbacks or loggers that a config names.

    Raises
    ------
    BadInput
        A class that cannot be imported, or that refuses its arguments.
    """
    made = []
    for number, specification in enumerate(specifications):
        path = specification["class_path"]
        module, _, name = path.rpartition(".")
        try:
            make = getattr(importlib.import_module(module), name)
            made.append(make(**(specification.get("init_args") or {})))
        except Exception as error:  # whatever a user's own class raises is about its arguments
            raise BadInput(
                f"{key}[{number}]", "a class and the arguments it takes", path, str(error)
            ) from None
        if not isinstance(made[-1], kind):
            raise BadInput(f"{key}[{number}]", f"a Lightning {kind.__name__}", path)
    return made


def quiet() -> None:
    """Keep Lightning's advice about hardware and loggers out of the study's own output."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"pytorch_lightning(\..*)?")


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
    seen = set()
    for run in runs:
        if (text := repr(run.optimizer)) not in seen:
            seen.add(text)
            scraps = [[torch.zeros(2, 2), torch.zeros(2)] for _ in range(2)]
            try_step(make_optimizer([run.optimizer] * 2, scraps), run.optimizer.class_path)
    try:
        make_trainer(runs[0], [])
    except MisconfigurationException as error:
        raise BadInput(
            "trainer.accelerator",
            "an accelerator of this machine",
            runs[0].trainer.accelerator,
            str(error),
        ) from None


def try_step(optimizer: torch.optim.Optimizer, class_path: str) -> None:
    """Take one step, as some optimizers refuse ordinary gradients or need a closure."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.ones_like(parameter)
    try:
        optimizer.step()
    except (TypeError, ValueError, RuntimeError) as error:
        raise BadInput(
            "optimizer.class_path",
            "an optimizer of dense gradients, without a closure",
            class_path,
            str(error),
        ) from None


def make_trainer(run: Run, callbacks: Sequence[pl.Callback]) -> pl.Trainer:
    """Return Lightning's Trainer as a study uses it: the stack says when it is done."""
    wanted = run.trainer
    everyone = [*instantiate(wanted.callbacks, pl.Callback, "trainer.callbacks"), *callbacks]
    return pl.Trainer(
        accelerator=wanted.accelerator,
        devices=1,
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
        enable_model_summary=False,
    )


def routes_for(study: Study, folder: Folder, run: Run, device: torch.device) -> dict[str, str]:
    """Return how a run's products are to be computed: as asked, as before, or the fastest way."""
    if device.type != "cpu":
        return {}
    if study.products != "auto":
        return chosen_routes(run, study.products)
    return recorded_routes(folder.path, run) or chosen_routes(run)


def train(
    study: Study,
    plans: Sequence[StackPlan],
    folder: Folder,
    cache: DataCache,
    watchers: Sequence[pl.Callback],
    say: Callable[[str], None],
) -> bool:
    """Train every planned run; return whether all ended (false: interrupted, states saved)."""
    with Interrupt(say) as interrupt:
        for each in plans:
            slots = checkpoints.resume(folder.path, each.runs, say)
            # Those that have come furthest go first: their checkpoints are done with soonest.
            slots.sort(key=lambda slot: -slot.epoch)
            stack = Stack(slots, each.size)
            recorder = Recorder(study, folder, interrupt)
            trainer = make_trainer(each.runs[0], [*watchers, recorder])
            try:
                routes = routes_for(study, folder, stack.first, trainer.strategy.root_device)
                trainer.fit(StudyModule(stack, routes), StudyData(stack, cache))
            except SystemExit:
                # Lightning's way out on a signal that came before the recorder took it over.
                raise StoppedAtOnce from None
            if not stack.done:
                return False
            checkpoints.discard(folder.path, folder.ended())
            if interrupt.requested:
                return each is plans[-1]
    return True


def retrain(
    run: Run, routes: Mapping[str, str]
) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]], tuple[str, str]]:
    """Train one run alone, recording nothing; return its weights, history and data hashes."""
    stack = Stack([Slot(run)])
    module, data = StudyModule(stack, routes), StudyData(stack)
    make_trainer(run, []).fit(module, data)
    weights = weights_of(module.engine.save(0))
    return weights, stack.slots[0].history, data.tensors(stack.slots[0]).hashes
