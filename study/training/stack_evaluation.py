"""Evaluates the runs of a stack, each on its own data, and judges how far they have come."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from study.base.streams import Stream
from study.measures import Measure
from study.measures.network import MeasuredNetwork, Network
from study.nn.mlp import StackedMLP
from study.runs.progress import FAILED
from study.runs.run import Run
from study.training import kept
from study.training.engine import Engine, Running
from study.training.evaluation import FitCheck, evaluate
from study.training.stack import Stack
from study.training.stack_data import RunTensors, StackData

if TYPE_CHECKING:
    from study.training.plain_loop import OneRun

T = TypeVar("T")


class StackEvaluation:
    """Evaluates the runs of a stack, whose engine has their networks.

    A run of the plain module is its own engine and data.
    """

    def __init__(
        self,
        stack: Stack,
        engine: Engine | OneRun,
        data: StackData | OneRun,
        measures: Mapping[str, Measure],
        *,
        keep_predictions: bool,
    ) -> None:
        self.stack, self.engine, self.data = stack, engine, data
        self.measures, self.keep_predictions = measures, keep_predictions
        self.checks: dict[str, FitCheck] = {}  # by run

    def judge(self, indices: Sequence[int], running: Running) -> list[dict[str, float]]:
        """Evaluate the runs in some slots, add each row to its run's history, and return the rows.

        A run whose own code raises an error has failed, and gets no row.
        """
        data = {index: self.data.tensors(self.stack.slots[index]) for index in indices}
        found = self._each(
            lambda at: evaluate(self.network(at), data[at]) | self._measured(at, "evaluation"),
            indices,
        )
        rows = []
        for index, row in found.items():
            rows.append(row)
            examples = running.examples[index]
            row["running_cross_entropy"] = float(running.cross_entropy[index] / examples)
            row["running_accuracy"] = float(running.right[index] / examples)
            self.stack.slots[index].judge(row)
        if self.keep_predictions:
            self._keep(list(found))
        return rows

    def _keep(self, indices: Sequence[int]) -> None:
        """Keep what networks that were just evaluated answer."""
        slots = self.stack.slots
        at = {index: kept.kept_of(slots[index]) for index in indices}
        seen = self._each(lambda i: kept.on_examples(self.network(i), self._tensors(i)), indices)
        for index, row in seen.items():
            kept.add(slots[index], row)
        self._test([index for index in seen if at[index]], at)

    def _test(self, indices: Sequence[int], at: Mapping[int, Sequence[str]]) -> None:
        """Keep what some networks answer on the test set as their answers at these epochs."""
        slots = self.stack.slots
        found = self._each(lambda i: kept.on_test_set(self.network(i), self._tensors(i)), indices)
        for index, answers in found.items():
            for name in at[index]:
                kept.put(slots[index], name, answers)

    def _tensors(self, index: int) -> RunTensors:
        return self.data.tensors(self.stack.slots[index])

    def conclude(self, indices: Sequence[int]) -> None:
        """Add what is measured at the end to the last rows of those runs that have ended.

        Their last predictions are kept, too.
        """
        slots = self.stack.slots
        ended = [i for i in indices if not slots[i].training and slots[i].status != FAILED]
        for index, row in self._each(lambda at: self._measured(at, "end"), ended).items():
            slots[index].history[-1].update(row)
        if self.keep_predictions:
            ended = [i for i in ended if slots[i].status != FAILED]
            self._test(ended, {index: ["last"] for index in ended})

    def _each(self, task: Callable[[int], T], indices: Sequence[int]) -> dict[int, T]:
        """Do a task for the runs in some slots; one whose own code raises an error has failed."""

        def tried(at: int) -> T | Exception:
            try:
                return task(at)
            except Exception as error:  # whatever code that the run names raises
                return error

        found = {}
        for index, row in zip(indices, self.engine.each(tried, indices), strict=True):
            if isinstance(row, Exception):
                self.stack.fail(self.stack.slots[index], row)
            else:
                found[index] = row
        return found

    def _measured(self, index: int, at: str) -> dict[str, float]:
        """Return what is measured of the network in a slot, at an evaluation or at the end."""
        slot, row = self.stack.slots[index], dict[str, float]()
        network = MeasuredNetwork(
            self.network(index),
            self.engine.rows[index],
            functools.partial(initial_weights, slot.run),
            slot.run.model.loss,
            slot.run.model.backward,
            slot.run.model.label_smoothing,
        )
        for name, measure in self.measures.items():
            if measure.at == at:
                random = Stream(slot.run.seed, f"measure/{name}", slot.epoch)
                row |= measure(network, self._tensors(index), random)
        return row

    def just_fitted(self, indices: Collection[int]) -> set[int]:
        """Return which of some slots' runs fit the labels they train on for the first time.

        So `epochs_to_fit` is exact, whatever the schedule of evaluations. A run is looked at until
        too many of its examples are wrong, which takes few until it is about to fit.
        """
        slots = self.stack.slots
        waiting = [i for i in indices if slots[i].epochs_to_fit is None]
        for run in self.checks.keys() - {slots[i].run.id for i in waiting}:
            del self.checks[run]
        checks = {i: self.checks.setdefault(slots[i].run.id, FitCheck()) for i in waiting}
        tensors = {i: self.data.tensors(slots[i]) for i in waiting}
        fitted = self.engine.each(
            lambda at: checks[at](
                self.network(at), tensors[at], slots[at].run.stop.accuracy_to_fit
            ),
            waiting,
        )
        return {index for index, fit in zip(waiting, fitted, strict=True) if fit}

    def network(self, index: int) -> Network:
        """Return the network in a slot: logits for images."""
        return functools.partial(self.engine.logits, index)


def initial_weights(run: Run) -> list[Tensor]:
    """Return the weights and biases, in layer order, that a run's training begins with."""
    network = StackedMLP(1, run.widths, run.model.activation)
    network.to(torch.float64 if run.trainer.precision == "64-true" else torch.float32)
    network.initialize(0, run.seed, run.model.init_scale)
    return network.rows(0)
