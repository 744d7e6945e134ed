"""Evaluates the runs of a stack, each on its own data, and judges how far they have come."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.training.engine import Engine, Running
from study.training.evaluation import FitCheck, Network, evaluate, predictions, probe
from study.training.stack import Stack
from study.training.stack_data import StackData


class StackEvaluation:
    """Evaluates the runs of a stack.

    Parameters
    ----------
    stack
        The runs.
    engine
        Their networks.
    data
        Their data.
    checks
        What tells whether a run fits its labels, by its id; what is new is added.
    """

    def __init__(
        self, stack: Stack, engine: Engine, data: StackData, checks: dict[str, FitCheck]
    ) -> None:
        self.stack, self.engine, self.data, self.checks = stack, engine, data, checks

    def judge(self, indices: Sequence[int], running: Running) -> list[dict[str, float]]:
        """Evaluate the runs in some slots, add each row to its run's history, and return the rows.

        A run whose own code raises an error has failed, and gets no row.
        """
        data = {index: self.data.tensors(self.stack.slots[index]) for index in indices}
        model = self.stack.first.model

        def row_of(at: int) -> dict[str, float] | Exception:
            try:
                row = evaluate(self.network(at), data[at])
                how = (model.loss, model.backward, model.label_smoothing)
                return row | probe(self.network(at), data[at], *how)
            except Exception as error:  # whatever code that the run names raises
                return error

        rows = []
        for index, row in zip(indices, self.engine.each(row_of, indices), strict=True):
            if isinstance(row, Exception):
                self.stack.fail(self.stack.slots[index], row)
                continue
            rows.append(row)
            examples = running.examples[index]
            row["running_cross_entropy"] = float(running.cross_entropy[index] / examples)
            row["running_accuracy"] = float(running.right[index] / examples)
            self.stack.slots[index].judge(row)
        return rows

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

    def predictions(self, index: int) -> tuple[list[dict[str, Any]], NDArray[np.uint8]]:
        """Return a network's predictions on the run's fixed examples, with the images."""
        return predictions(self.network(index), self.data.tensors(self.stack.slots[index]))

    def network(self, index: int) -> Network:
        """Return the network in a slot: logits for images."""
        return functools.partial(self.engine.logits, index)
