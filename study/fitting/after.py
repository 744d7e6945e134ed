"""Prints a study's results and where they are. Imports no torch."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from rich.console import Console

from study.records.reading import load
from study.runs.command_line import Request
from study.terminal import summary
from study.wandb.ledger import sync_command


def conclude(request: Request, failed: Mapping[str, str], console: Console) -> None:
    """Print the final tables, failed runs and the folder of the records."""
    out, shard, study = request.out, request.shard, request.study
    say = functools.partial(console.print, soft_wrap=True)
    if shard.of > 1:  # no tables, for which the task of every share would read all records
        say(f"records: {out}, share {shard}; all shares: python -m study.status {out}")
    else:
        summary.show(study, load(out).runs, console)
        say(f"records: {out} (study.load('{out}') reads them)")
        if study.wandb.mode == "offline":
            say(f"to W&B: {sync_command(out)}")
    summary.show_failed(study, failed, console)
