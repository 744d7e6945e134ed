"""Evaluates the runs of a stack, each on its own data, and judges how far they have come."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from study.base.streams import Stream
from study.measures import Measure
from study.measures.network import MeasuredNetwork, Network
from study.nn.mlp import StackedMLP
from study.runs.progress import DIVERGED, FAILED, Progress
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
        self.checks: dict[Progress, FitCheck] = {}

    def begin(self, indices: Sequence[int], running: Running) -> None:
        """Evaluate the runs in some slots that are new, before they train."""
        slots = self.stack.slots
        begun = [index for index in indices if slots[index].training and slots[index].epoch == 0]
        self._judge(begun, running)
        self._conclude(indices)

    def end_epoch(self, running: Running, began: float) -> dict[str, float]:
        """Count an epoch, evaluate the runs that are due, and end those that are through.

        The epoch's sums are ``running``, and ``began`` is when it began. Returns the mean of the
        evaluated runs' rows.
        """
        slots, training = self.stack.slots, self.stack.training
        finite = running[0].isfinite().tolist()
        for index in training:
            slots[index].epoch += 1
        due = {index for index in training if slots[index].due or not finite[index]}
        due |= self._just_fitted(set(training) - due)
        rows = self._judge(sorted(due), running)
        share = (time.perf_counter() - began) / max(len(training), 1)
        for index in training:
            slots[index].seconds += share
            if not finite[index] and slots[index].status != FAILED:
                slots[index].status = DIVERGED
        self._conclude(training)
        return mean_of(rows)

    def _judge(self, indices: Sequence[int], running: Running) -> list[dict[str, float]]:
        """Evaluate the runs in some slots, add each row to its run's history, and return the rows.

        A run whose own code raises an error has failed, and gets no row.
        """

        def judged(at: int) -> dict[str, float]:
            slot, network, data = self.stack.slots[at], self._network(at), self._tensors(at)
            row = evaluate(network, data) | self._measured(at, "evaluation")
            cross_entropy, right, examples = running[:, at]
            row["running_cross_entropy"] = float(cross_entropy / examples)
            row["running_accuracy"] = float(right / examples)
            slot.judge(row)
            if self.keep_predictions:
                kept.keep(slot, network, data)
            return row

        return list(self._each(judged, indices).values())

    def _tensors(self, index: int) -> RunTensors:
        return self.data.tensors(self.stack.slots[index])

    def _conclude(self, indices: Sequence[int]) -> None:
        """Add what is measured at the end to the last rows of those runs that have ended.

        Their last predictions are kept, too.
        """

        def concluded(at: int) -> None:
            slots[at].history[-1].update(self._measured(at, "end"))
            if self.keep_predictions:
                kept.keep_test(slots[at], ["last"], self._network(at), self._tensors(at))

        slots = self.stack.slots
        ended = [i for i in indices if not slots[i].training and slots[i].status != FAILED]
        self._each(concluded, ended)

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
            self._network(index),
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

    def _just_fitted(self, indices: Collection[int]) -> set[int]:
        """Return which of some slots' runs fit the labels they train on for the first time.

        So `epochs_to_fit` is exact, whatever the schedule of evaluations. A run is looked at until
        too many of its examples are wrong, which takes few until it is about to fit.
        """
        slots = self.stack.slots
        waiting = [index for index in indices if slots[index].epochs_to_fit is None]
        self.checks = {slots[i]: self.checks.get(slots[i]) or FitCheck() for i in waiting}

        def fits(at: int) -> bool:
            accuracy = slots[at].run.stop.accuracy_to_fit
            return self.checks[slots[at]](self._network(at), self._tensors(at), accuracy)

        fitted = self.engine.each(fits, waiting)
        return {index for index, fit in zip(waiting, fitted, strict=True) if fit}

    def _network(self, index: int) -> Network:
        """Return the network in a slot: logits for images."""
        return functools.partial(self.engine.logits, index)


def mean_of(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each column over those rows that have a value.

    A value may be missing: a run without noise has no redrawn labels to be right about.
    """
    names = rows[0] if rows else ()
    columns = {name: [row[name] for row in rows if not math.isnan(row[name])] for name in names}
    return {name: sum(values) / len(values) for name, values in columns.items() if values}


def initial_weights(run: Run) -> list[Tensor]:
    """Return the weights and biases, in layer order, that a run's training begins with."""
    network = StackedMLP(1, run.widths, run.model.activation)
    network.to(torch.float64 if run.trainer.precision == "64-true" else torch.float32)
    network.initialize(0, run.seed, run.model.init_scale)
    return network.rows(0)
