"""Groups a study's runs into stacks; estimates their memory, steps and time. Imports no torch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from study.base.errors import BadInput
from study.data.prepare import image_key
from study.runs.run import Run
from study.runs.study import Study

LARGEST_STACK = 64
# A core's rate at 6 flops per parameter and example, overheads included (784-256-10, Zen 4).
FLOPS_A_SECOND = 5e10
COPIES = 4  # of a run's parameters: weights, gradient, and Adam's two moments


@dataclass(frozen=True)
class StackPlan:
    """Runs that one program can train, and how many of them train at once."""

    runs: list[Run]
    size: int

    @property
    def bytes(self) -> int:
        """Estimated memory of networks, optimizer and images, without the libraries' memory."""
        return _shared_bytes(self.runs) + self.size * max(map(run_bytes, self.runs))

    @property
    def steps(self) -> int:
        """The most training steps, summed over runs."""
        return sum(steps(run) * run.trainer.max_epochs for run in self.runs)


def steps(run: Run) -> int:
    """Return the training steps in one epoch of a run."""
    return -(-run.data.examples // run.data.batch_size)


def number_bytes(run: Run) -> int:
    """Return the bytes of one of a network's numbers."""
    return 8 if run.trainer.precision == "64-true" else 4


def run_bytes(run: Run) -> int:
    """Return the bytes that one more run in a stack takes."""
    item = number_bytes(run)
    batch = run.data.batch_size * sum(run.widths) * item
    own = _image_bytes(run) if run.data.inputs != "original" else 0
    return run.parameters * item * COPIES + batch + run.data.examples * 40 + own


def _shared_bytes(runs: Sequence[Run]) -> int:
    """Return the bytes of images that runs share."""
    shared = {image_key(run): run for run in runs if run.data.inputs == "original"}
    return sum(map(_image_bytes, shared.values()))


def _image_bytes(run: Run) -> int:
    source = run.data.source
    return (source.train_examples + source.test_examples) * source.features * 4


def by_program(runs: Iterable[Run]) -> list[list[Run]]:
    """Group runs that can share a stack, in the order they first appear."""
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(run.program, []).append(run)
    return list(groups.values())


def plan(study: Study, runs: Sequence[Run]) -> list[StackPlan]:
    """Group runs into stacks and choose each stack's size.

    ``auto`` puts all runs into a stack, but at most 64 and at most as many as fit into half of the
    free memory.

    Raises
    ------
    BadInput
        A network is larger than the machine's memory.
    """
    plans = []
    for group in by_program(runs):
        largest = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if run_bytes(group[0]) > largest:
            most = f"a network that fits into this machine's {largest / 2**30:.0f} GiB of memory"
            raise BadInput("model.hidden", most, list(group[0].model.hidden))
        if study.engine == "plain":
            size = 1
        elif isinstance(study.stack, int):
            size = study.stack
        else:
            room = _free_bytes() // 2 - _shared_bytes(group)
            fitting = room // max(map(run_bytes, group))
            size = max(1, min(LARGEST_STACK, fitting))
        plans.append(StackPlan(group, min(size, len(group))))
    return plans


def _free_bytes() -> int:
    # macOS does not tell the number of free pages.
    free = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in os.sysconf_names else "SC_PHYS_PAGES"
    return os.sysconf(free) * os.sysconf("SC_PAGE_SIZE")


def usable_cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # macOS has none
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def core_seconds(runs: Sequence[Run]) -> float:
    """Return the seconds one core needs to train the runs, if none stops before its last epoch."""
    flops = sum(
        6.0 * run.parameters * run.data.batch_size * steps(run) * run.trainer.max_epochs
        for run in runs
    )
    return flops / FLOPS_A_SECOND
