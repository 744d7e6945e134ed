"""The Recorder: a callback that writes rows of runs that ended, and saves those that have not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch

from study.base.interrupt import Interrupt
from study.records.checkpoints import CheckpointWriter
from study.records.environment import environment
from study.records.writing import Folder, weights_hash
from study.runs.progress import Progress
from study.runs.study import Study
from study.sharing.locks import Claims
from study.training.stack_module import StudyModule
from study.wandb.logger import WandbLogger


class Recorder(pl.callbacks.Checkpoint):
    """Writes the rows of runs that ended, and checkpoints of those that have not.

    A Lightning `Checkpoint`, so that it comes after the module's own end of an epoch.
    """

    def __init__(
        self,
        study: Study,
        folder: Folder,
        writer: CheckpointWriter,
        claims: Claims,
        interrupt: Interrupt,
        wandb: WandbLogger,
    ) -> None:
        self.wandb = wandb
        self.study, self.folder, self.writer = study, folder, writer
        self.claims, self.interrupt = claims, interrupt
        self.environment_hash = ""
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
        assert pl_module.study_data is not None
        self.wandb.begin(pl_module.stack, pl_module.study_data, here)

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
        self.claims.task.progress(
            {slot.run.id: slot.epoch for slot in stack.slots if slot.training},
            ended=len(ended),
            epochs=len(stack.training) + len(ended),
        )
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
        said: dict[int, list[dict[str, Any]]] = {}
        for index in indices:
            slot = module.stack.slots[index]
            weights = weights_of(module.engine.save(index))
            if self.study.keep_weights:
                self.folder.write_weights(slot.run, weights)
            rows.append(self._row(module, slot, weights))
            history += slot.history
            said[index] = self._predictions(module, index)
            predictions += said[index]
            self._recorded.add(slot.run.id)
        self.folder.write_part(rows, history, predictions)
        if self.wandb.mode == "off":
            self.claims.release(row["run"] for row in rows)
        for row, (index, its) in zip(rows, said.items(), strict=True):
            self.wandb.end(module.stack.slots[index], row, its)

    def _predictions(self, module: StudyModule, index: int) -> list[dict[str, Any]]:
        rows, images = module.predictions(index)
        name = self.folder.write_images(images)
        run = module.stack.slots[index].run.id
        return [
            {"run": run, **row, "images": None if row["place"] is None else name} for row in rows
        ]

    def _row(
        self, module: StudyModule, slot: Progress, weights: Mapping[str, torch.Tensor]
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
