"""What a study would train, as a person reads it before anything begins."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.console import Console
from rich.table import Table

from study.runs.packing import StackPlan
from study.runs.shards import Shard
from study.runs.study import Study


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
