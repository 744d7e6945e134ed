"""StackModule: the LightningModule that trains and evaluates a stack."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch

from study.base.errors import BadInput
from study.base.names import MEASURE
from study.measures import DEFAULT, Measure
from study.nn.mlp import StackedMLP
from study.runs.events import Machine
from study.runs.progress import FAILED, Progress
from study.runs.run import Run
from study.training.engine import chosen_routes, make_engine
from study.training.engine.neighbours import neighbours_felt
from study.training.optimizers import load_weights
from study.training.refusals import check_trainer, stopped_by
from study.training.stack import Stack
from study.training.stack_batch import StackBatch
from study.training.stack_data import StackData
from study.training.stack_evaluation import StackEvaluation


class StackModule(pl.LightningModule):
    """Networks of all runs in a stack, trained with the study's own gradients.

    Parameters
    ----------
    runs
        A run, several that share a program, or a stack.
    routes
        Gives how a run's large products are computed on a CPU; by default the fastest way, measured
        at the start.
    measures, keep_predictions
        As of `study.Study`; what the networks answer is kept in the runs' `Progress`.

    Examples
    --------
    >>> from study import Data, Model, Run, StackData
    >>> run = Run(data=Data(dataset="digits"), model=Model(hidden=(32,)))
    >>> trainer = pl.Trainer(max_epochs=2, logger=False, enable_checkpointing=False,
    ...                      enable_progress_bar=False, enable_model_summary=False)
    >>> module = StackModule(run)
    >>> trainer.fit(module, StackData(run))
    >>> [row["epoch"] for row in module.stack.slots[0].history]
    [0, 1, 2]
    """

    def __init__(
        self,
        runs: Run | Sequence[Run] | Stack = Run(),
        routes: Callable[[Run], Mapping[str, str]] = chosen_routes,
        measures: Sequence[str] = DEFAULT,
        *,
        keep_predictions: bool = False,
    ) -> None:
        super().__init__()
        if not callable(routes):
            raise BadInput("routes", "a function of a run", routes)
        self.automatic_optimization = False
        self.keep_predictions = keep_predictions
        self.measures = {name: MEASURE.resolve_as(name, "measures", Measure) for name in measures}
        self.stack = Stack.of(runs)
        self.routes = routes
        first = self.stack.first
        dtype = torch.float64 if first.trainer.precision == "64-true" else torch.float32
        self.network = StackedMLP(len(self.stack.slots), first.widths, first.model.activation)
        self.network.to(dtype)
        for index, slot in enumerate(self.stack.slots):
            if slot.state is None:
                self.network.initialize(index, slot.run.seed, slot.run.model.init_scale)
            else:
                load_weights(self.network.rows(index), slot.state)
        # Whose weights the network holds: from here on they are the user's, who may load others.
        self._held = list(self.stack.slots)
        self._stopped = False
        self._began = 0.0

    def configure_callbacks(self) -> list[pl.Callback]:
        """Refuse a Trainer that a stack cannot honour, before anything is set up; add nothing.

        Raises
        ------
        BadInput
            See `study.training.refusals.check_trainer`.
        """
        check_trainer(self.trainer, self.stack.first)
        return []

    def setup(self, stage: str) -> None:
        """Share the stack with the data, so that both know who trains.

        Raises
        ------
        BadInput
            The data are no `StackData`, or those of other runs than the module's.
        """
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, StackData):
            raise BadInput("StackModule", "study.StackData of its runs", type(data).__name__)
        if data.stack is not self.stack:
            ours, theirs = ([slot.run.id for slot in s.slots] for s in (self.stack, data.stack))
            if ours != theirs:
                raise BadInput("StackData", f"data of the module's runs {ours}", theirs)
            data.stack = self.stack
        self.data = data

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Make the engine; what is returned counts steps and shows each run's numbers."""
        self._loaded: list[Progress | None] = [None] * len(self.stack.slots)
        runs = [slot.run for slot in self.stack.slots]
        routes = self.routes(self.stack.first) if self.device.type == "cpu" else {}
        self.engine = make_engine(self.network, runs, routes=routes)
        self._running = self.engine.no_sums()
        parts = (self.stack, self.engine, self.data, self.measures)
        self._evaluation = StackEvaluation(*parts, keep_predictions=self.keep_predictions)
        return self.engine.optimizer

    def machine(self) -> Machine:
        """Measure and return where the stack is trained."""
        run, routes = self.stack.first, self.engine.routes
        # On a CPU each run has products of its own, and three runs tell as much as all.
        runs = 3 if self.device.type == "cpu" else max(3, len(self.stack.slots))
        felt = neighbours_felt(run, device=str(self.device), routes=routes, runs=runs)
        return Machine(str(self.device), run.trainer.precision, routes, felt)

    def on_fit_start(self) -> None:
        """Begin without a stop, unless a callback has stopped the training already."""
        self._stopped = False
        self._put_off_stop()

    def on_train_start(self) -> None:
        """See whether a callback has stopped the training."""
        self._put_off_stop()

    def on_train_batch_end(self, *_: object) -> None:
        """See whether a callback has stopped the training."""
        self._put_off_stop()

    def _put_off_stop(self) -> None:
        """Let a stop that a callback asked for wait for the epoch's end: no run's is cut short."""
        if self.trainer.should_stop:
            self._stopped, self.trainer.should_stop = True, False

    def on_fit_end(self) -> None:
        """Keep what unfinished runs need, should `fit` be called again.

        Raises
        ------
        BadInput
            A callback stopped the training. By now, whoever saves states has saved them.
        """
        for index in self.stack.training:
            self.stack.slots[index].state = self.engine.save(index)
        if self._stopped and not self.stack.done:
            raise stopped_by(self.trainer)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add how far each run has come to Lightning's checkpoint."""
        checkpoint["study"] = [
            {
                "run": slot.run.id,
                "progress": slot.plain(),
                "state": slot.tensors(self.engine.save(index)),
            }
            for index, slot in enumerate(self.stack.slots)
        ]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from Lightning's checkpoint.

        Raises
        ------
        BadInput
            A checkpoint of other runs.
        """
        saved = checkpoint.get("study", [])
        ours, theirs = [slot.run.id for slot in self.stack.slots], [each["run"] for each in saved]
        if ours != theirs:
            raise BadInput("ckpt_path", f"a checkpoint of the runs {ours}", theirs)
        for slot, each in zip(self.stack.slots, saved, strict=True):
            slot.resume(each["progress"], each["state"])

    def on_train_epoch_start(self) -> None:
        """Give free slots to waiting runs, and evaluate newcomers before they train."""
        self._put_off_stop()
        self.engine.check_untouched()
        self._running = self.engine.no_sums()
        while self._take_in():
            pass  # the slot of a run that failed at once goes to the next
        self._began = time.perf_counter()

    def _take_in(self) -> bool:
        """Give free slots to waiting runs; return whether a slot is free again, and a run waits."""
        self.stack.refill()
        slots = self.stack.slots
        new = [i for i, s in enumerate(slots) if s.training and self._loaded[i] is not s]
        for index in new:
            self._load(index)
        self.engine.note_weights()
        self._evaluation.begin(new, self._running)
        return self.stack.waits and any(slots[i].status == FAILED for i in new)

    def _load(self, index: int) -> None:
        """Put a newcomer's weights and state into its slot."""
        slot = self.stack.slots[index]
        try:
            self.data.tensors(slot)
            held = self._held[index] is slot
            self.engine.load(index, slot.run, slot.state, keep_weights=held)
        except Exception as error:  # whatever code that the run names raises
            self.stack.fail(slot, error)
        self._loaded[index] = self._held[index] = slot
        slot.state = None

    def training_step(self, batch: StackBatch, batch_idx: int) -> None:
        """Take the batch's steps of every run that trains."""
        self._running += self.engine.steps(batch, self.stack.training)
        for index in list(self.engine.failed):
            self.stack.fail(self.stack.slots[index], self.engine.failed.pop(index))
        optimizer = self.optimizers()
        assert not isinstance(optimizer, list)
        optimizer.step()  # counts it for Lightning, as the runs have been updated already
        self.engine.note_weights()

    def on_train_epoch_end(self) -> None:
        """Count the epoch, evaluate the runs that are due, and end those that are through."""
        self._put_off_stop()
        self.engine.check_untouched()
        self.engine.end_epoch(self.stack.training)
        row = self._evaluation.end_epoch(self._running, self._began)
        self.log_dict(row, batch_size=1)
        if self.stack.done or self._stopped:
            self.trainer.should_stop = True
