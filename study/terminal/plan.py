"""Prints the stacks that a study would train, and how long that takes at most."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from rich.console import Console
from rich.text import Text

from study.base.text import counted
from study.runs.disk import disk_bytes
from study.runs.packing import StackPlan, core_seconds, usable_cores
from study.runs.shards import Shard
from study.runs.study import Study
from study.terminal.arms import by_arm, packed

MOST_NAMED = 24  # arms of a stack


def show(
    study: Study,
    plans: Sequence[StackPlan],
    shard: Shard,
    ended: Collection[str],
    console: Console,
) -> None:
    """Print the plan for a share of a study's runs; ``ended`` has the ids of ended runs."""
    recorded = sum(run.id in ended for run in study.runs)
    arms = by_arm(study, study.runs)
    console.print(
        f"{study.name}: {counted(len(study.runs), 'run')} ({counted(len(arms), 'arm')} x "
        f"{counted(len(study.runs) // len(arms), 'seed')}), {recorded} of them already recorded"
    )
    if shard.of > 1:
        console.print(f"share {shard}: {counted(len(shard.take(study.runs)), 'run')}")
    for number, each in enumerate(plans, start=1):
        _stack(study, number, each, console)
    again = sum(run.id in ended for each in plans for run in each.runs)
    if again:
        console.print(f"{counted(again, 'recorded run')} trained again, for measures not recorded")
    if plans:
        console.print(room(study))
    console.print(duration(plans) if plans else "nothing is left to train")


def _stack(study: Study, number: int, each: StackPlan, console: Console) -> None:
    first, indent = each.runs[0], 2
    console.print(
        f"stack {number}: {counted(len(each.runs), 'run')}, {each.size} at once; "
        f"layers {'-'.join(map(str, first.widths))}, {first.parameters:,} parameters a run, "
        f"at most {each.steps:,} steps, about {each.bytes / 2**20:,.0f} MiB"
    )
    arms = [", ".join(arm) for arm in by_arm(study, each.runs)]
    if len(arms) > MOST_NAMED:
        arms[MOST_NAMED:] = [f"and {len(arms) - MOST_NAMED} more"]
    lines = packed(arms, console.width - indent, "; ", indent="")
    console.print(Text("\n".join(" " * indent + line for line in lines), overflow="fold"))


def duration(plans: Sequence[StackPlan]) -> str:
    """Return the most time that a plan takes on this machine's cores, in words."""
    cores = usable_cores()
    seconds = core_seconds([run for each in plans for run in each.runs]) / cores
    minutes = math.ceil(seconds / 60)
    return f"at most about {minutes:,} min on {counted(cores, 'core')} of a CPU"


def room(study: Study) -> str:
    """Return how much room a study's records take, and what for."""
    parts = {name: size / 2**20 for name, size in disk_bytes(study).items()}
    each = ", ".join(f"{name} {size:,.1f}" for name, size in parts.items())
    return f"at most about {sum(parts.values()):,.1f} MiB on disk: {each}"
