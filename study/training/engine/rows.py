"""A CPU's way: runs are independent tasks of a pool of threads, one core each.

A run's products have the shapes they have alone, so its bits depend neither on its neighbours nor
on the number of threads, and its update comes while its gradient is still in the core's cache.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch

from study.base.errors import BadInput
from study.nn.mlp import StackedMLP
from study.nn.targets import chosen_probabilities
from study.runs.run import Run
from study.training.engine.base import Engine, Running
from study.training.stack_batch import Numbered, StackBatch

T = TypeVar("T")

STEPS_IN_CACHE = 50  # of one run, before its core turns to another's weights


def one_core_threads(number: int) -> ThreadPoolExecutor:
    """Return a pool whose threads each compute on one core."""
    return ThreadPoolExecutor(number, "run", initializer=torch.set_num_threads, initargs=(1,))


class RowEngine(Engine):
    """Trains the runs of a stack side by side, each by itself."""

    def __init__(self, network: StackedMLP, runs: Sequence[Run], routes: Mapping[str, str]) -> None:
        super().__init__(network, runs, routes)
        self.methods = [self.method() for _ in runs]
        # As many as torch would use for one product.
        self.workers = min(len(runs), torch.get_num_threads())
        self.pool = one_core_threads(self.workers)

    def each(self, task: Callable[[int], T], slots: Sequence[int]) -> list[T]:
        """Do a task for each slot, side by side, and return what they return."""
        mixed = torch.is_autocast_enabled("cpu")
        narrow = torch.get_autocast_dtype("cpu")

        def isolated(slot: int) -> T:
            # Both are settings of a thread, and the pool's threads know nothing of the caller's.
            with torch.no_grad(), torch.autocast("cpu", narrow, enabled=mixed):
                return task(slot)

        return list(self.pool.map(isolated, slots))

    def steps(self, batch: StackBatch, training: Sequence[int]) -> Running:
        """Let every worker take the run that has waited longest for a few steps, until none waits.

        A run is with one worker at a time, so it makes no difference which.
        """
        running = self.no_sums()
        steps = {slot: batch.of(slot) for slot in training}
        waiting = deque(training)

        def work(_: int) -> None:
            while waiting:
                try:
                    slot = waiting.popleft()
                except IndexError:  # another worker was faster
                    return
                if self._some(slot, steps[slot], running):
                    waiting.append(slot)

        self.each(work, range(self.workers))
        return running

    def _some(self, slot: int, steps: Iterator[Numbered], running: Running) -> bool:
        """Take a slot's next steps and return whether there may be more."""
        rows, gradients, method = self.rows[slot], self.gradient_rows[slot], self.methods[slot]
        seen = []
        for images, labels, number in islice(steps, STEPS_IN_CACHE):
            x = images.to(rows[0].dtype)
            p = method(rows, x, labels, gradients, self.dropout.masks(slot, x, number))
            try:
                self.finish([slot])
            except BadInput:
                raise
            except Exception as error:  # whatever an optimizer or schedule of the user's raises
                self.failed[slot] = error
                return False
            seen.append((p, labels))
        if seen:
            p, labels = (torch.cat(parts) for parts in zip(*seen, strict=True))
            # One by one, so that the sum does not depend on how many steps are taken at a time.
            each = running.new_empty(1 + len(labels))
            each[0] = running[0, slot]
            each[1:] = chosen_probabilities(p, labels).log_().neg_()
            running[0, slot] = each.cumsum(0)[-1]
            running[1, slot] += (p.argmax(-1) == labels).sum()
            running[2, slot] += len(labels)
        return len(seen) == STEPS_IN_CACHE
