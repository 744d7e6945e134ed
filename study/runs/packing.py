"""What a study would train: its stacks, their size, memory and steps. Imports no torch."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from study.base.errors import BadInput
from study.data.prepare import image_key
from study.runs.run import Run
from study.runs.study import Study, by_program
from study.sharing.shards import Shard

LARGEST_STACK = 64
COPIES = 4  # of a run's parameters: weights, gradient, and Adam's two moments


@dataclass(frozen=True)
class StackPlan:
    """Runs of one program, and how many of them are trained at once."""

    runs: list[Run]
    size: int

    @property
    def bytes(self) -> int:
        """Estimated memory for networks, optimizer and images, without the libraries' own."""
        return _shared_bytes(self.runs) + self.size * max(map(run_bytes, self.runs))

    @property
    def steps(self) -> int:
        """Most training steps, summed over runs."""
        return sum(steps(run) * run.trainer.max_epochs for run in self.runs)


def steps(run: Run) -> int:
    """Return the training steps in one epoch of a run."""
    return -(-run.data.examples // run.data.batch_size)


def run_bytes(run: Run) -> int:
    """Return the memory that one more run in a stack takes."""
    item = 8 if run.trainer.precision == "64-true" else 4
    batch = run.data.batch_size * sum(run.widths) * item
    own = _image_bytes(run) if run.data.inputs != "original" else 0
    return run.parameters * item * COPIES + batch + run.data.examples * 40 + own


def _shared_bytes(runs: Sequence[Run]) -> int:
    """Return the memory of images that runs see in common."""
    shared = {image_key(run): run for run in runs if run.data.inputs == "original"}
    return sum(map(_image_bytes, shared.values()))


def _image_bytes(run: Run) -> int:
    source = run.data.source
    return (source.train_examples + source.test_examples) * source.features * 4


def plan(study: Study, runs: Sequence[Run]) -> list[StackPlan]:
    """Group runs into stacks and choose each stack's size.

    ``auto`` takes as many runs as there are, at most 64 and at most what fits half of the memory
    that is free.

    Raises
    ------
    BadInput
        A network larger than the machine's memory.
    """
    plans = []
    for group in by_program(runs):
        largest = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if run_bytes(group[0]) > largest:
            raise BadInput(
                "model.hidden",
                f"a network that this machine's {largest / 2**30:.0f} GiB of memory hold",
                list(group[0].model.hidden),
            )
        if isinstance(study.stack, int):
            size = study.stack
        else:
            room = _free_bytes() // 2 - _shared_bytes(group)
            fitting = room // max(map(run_bytes, group))
            size = max(1, min(LARGEST_STACK, fitting))
        plans.append(StackPlan(group, min(size, len(group))))
    return plans


def _free_bytes() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def show(
    study: Study,
    plans: Sequence[StackPlan],
    shard: Shard,
    ended: Collection[str],
    console: Console,
) -> None:
    """Print a plan for a share of a study's runs, of which some have ended."""
    recorded = sum(run.id in ended for run in study.runs)
    console.print(
        f"{study.name}: {len(study.runs)} runs "
        f"({len(study.arms)} arms x {len(study.runs) // len(study.arms)} seeds), "
        f"{recorded} of them already recorded"
    )
    if shard.of > 1:
        console.print(f"share {shard}: {len(shard.take(study.runs))} runs")
    table = Table("stack", "runs", "at once", "layers", "parameters", "steps", "memory", box=None)
    for number, each in enumerate(plans, start=1):
        first = each.runs[0]
        table.add_row(
            str(number),
            str(len(each.runs)),
            str(each.size),
            "-".join(map(str, first.widths)),
            f"{first.parameters:,} a run",
            f"at most {each.steps:,}",
            f"about {each.bytes / 2**20:,.0f} MiB",
        )
    console.print(table)
