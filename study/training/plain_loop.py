"""Trains runs one by one with the plain module; observers hear what a stack would tell them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import pytorch_lightning as pl
import torch
from torch import Tensor

from study.base.names import MEASURE
from study.data.prepare import DataCache
from study.measures import DEFAULT, Measure
from study.nn.softmax import probabilities
from study.nn.targets import chosen_probabilities
from study.runs.events import Machine, Observer
from study.runs.packing import steps
from study.runs.progress import Progress
from study.training.emitter import Emitter
from study.training.loop import fit
from study.training.optimizers import RunOptimizer, load_weights
from study.training.plain_data import StudyData
from study.training.plain_module import StudyModule
from study.training.stack import Stack
from study.training.stack_data import RunTensors
from study.training.stack_evaluation import StackEvaluation
from study.training.trainer import make_trainer

T = TypeVar("T")


class OneRun(pl.Callback):
    """Evaluates the run of a plain module, as a stack evaluates its runs, and judges its progress.

    To an `Emitter` it is the module and the engine of a stack of one run.
    """

    def __init__(
        self,
        progress: Progress,
        cache: DataCache,
        measures: Sequence[str] = DEFAULT,
        *,
        keep_predictions: bool = False,
    ) -> None:
        self.stack, self.progress = Stack([progress], keep_going=True), progress
        self.module, self.data = StudyModule(progress.run), StudyData(progress.run, cache)
        taken = {name: MEASURE.resolve_as(name, "measures", Measure) for name in measures}
        parts = (self.stack, self, self, taken)
        self.evaluation = StackEvaluation(*parts, keep_predictions=keep_predictions)
        self.engine = self
        self.running = torch.zeros(3, 1, dtype=torch.float64)
        self._logits = torch.empty(0)
        self.module.register_forward_hook(self._note)

    def _note(self, module: Any, images: Any, logits: Tensor) -> None:
        self._logits = logits.detach()

    @property
    def trainer(self) -> pl.Trainer:
        """The module's Trainer."""
        return self.module.trainer

    def machine(self) -> Machine:
        """Return where the run is trained."""
        device, run = self.trainer.strategy.root_device, self.progress.run
        return Machine(str(device), run.trainer.precision, {}, tolerance=0.0, engine="plain")

    @property
    def rows(self) -> list[list[Tensor]]:
        """The network's weights and biases in layer order."""
        return [[each.detach().cpu() for each in self.module.parameters()]]

    def tensors(self, slot: Progress) -> RunTensors:
        """Return the run's data."""
        return self.data.tensors

    def each(self, task: Callable[[int], T], slots: Sequence[int]) -> list[T]:
        """Do a task for each slot, of which there is one."""
        return [task(slot) for slot in slots]

    def logits(self, slot: int, images: Tensor) -> Tensor:
        """Return the network's logits of images, without dropout."""
        training = self.module.training
        self.module.eval()
        with torch.no_grad():
            logits: Tensor = self.module(images.to(self.module.device))
        self.module.train(training)
        return logits.cpu()

    def save(self, slot: int) -> dict[str, Tensor]:
        """Return copies of all tensors that the run needs to go on, named as in a stack."""
        epoch, each_step = self.progress.epoch, self.optimizer.interval == "step"
        self.optimizer.scheduled = epoch * (steps(self.progress.run) if each_step else 1)
        return self.optimizer.save()

    # What Lightning calls.

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on from a saved state, or evaluate the network that a seed gives."""
        progress, parameters = self.progress, list(self.module.parameters())
        self.optimizer = RunOptimizer(progress.run.optimizer, parameters, progress.state)
        (optimizer,) = trainer.optimizers
        if progress.state is not None:
            load_weights(parameters, progress.state)
            optimizer.state.update(self.optimizer.optimizer.state)
            for _ in range(self.optimizer.scheduled):
                for config in trainer.lr_scheduler_configs:
                    config.scheduler.step()  # type: ignore[call-arg]  # none needs a metric
        self.optimizer.optimizer = optimizer  # which is the one to save
        progress.state = None
        # Lightning counts this fit's epochs; the order and the masks are those of all epochs.
        for name in ("ready", "started", "processed", "completed"):
            setattr(trainer.fit_loop.epoch_progress.current, name, progress.epoch)
        self.evaluation.begin([0], self.running)
        self.trainer.should_stop |= not progress.training

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to sum over the examples as the run sees them."""
        self.running = torch.zeros(3, 1, dtype=torch.float64)
        self._began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add a batch to the sums."""
        p, labels = probabilities(self._logits), batch[1]
        cross_entropy = -chosen_probabilities(p, labels).log().double().sum()
        sums = (cross_entropy, (p.argmax(-1) == labels).sum(), torch.tensor(len(labels)))
        self.running += torch.tensor(sums, dtype=torch.float64).unsqueeze(-1)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count the epoch, evaluate the run if it is due, and end it if it is through."""
        pl_module.log_dict(self.evaluation.end_epoch(self.running, self._began))
        self.trainer.should_stop |= not self.progress.training


def train_plain(
    more: Iterator[Progress],
    cache: DataCache,
    observers: Sequence[Observer],
    measures: Sequence[str] = DEFAULT,
    *,
    keep_predictions: bool = False,
) -> bool:
    """Train runs one after another with the plain module; return whether all of them ended.

    The parameters and errors are those of `study.training.loop.train_stack`.
    """
    for progress in more:
        _train(OneRun(progress, cache, measures, keep_predictions=keep_predictions), observers)
        if progress.training:  # an observer stopped it
            return False
    return True


def _train(one: OneRun, observers: Sequence[Observer]) -> None:
    emitter, run = Emitter(one, one, observers), one.progress.run
    one.module.trainer = trainer = make_trainer(run, [one, emitter])
    try:
        one.data.setup()
    except Exception as error:  # whatever a condition of the user's raises
        one.stack.fail(one.progress, error)
        emitter.on_train_start(trainer, one.module)
        emitter.on_train_end(trainer, one.module)
    else:
        fit(trainer, one.module, one.data, run)
