"""Says what came out of a study's training, and where it is. Imports no torch."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from rich.console import Console

from study.base.text import counted
from study.records.reading import load
from study.runs.command_line import Request
from study.terminal import summary
from study.wandb.ledger import sync_command


def conclude(request: Request, left: int, failed: Mapping[str, str], console: Console) -> None:
    """Say what came out and where it is."""
    out, shard, study = request.out, request.shard, request.study
    say = functools.partial(console.print, soft_wrap=True)
    if left:
        say(f"other tasks train the last {counted(left, 'run')}; see python -m study.status {out}")
    elif shard.of > 1:  # otherwise each of a thousand tasks would read all records
        say(f"records: {out}, share {shard}; of all: python -m study.status {out}")
    else:
        summary.show(study, load(out).runs, console)
        say(f"records: {out} (study.load('{out}') reads them)")
        if study.wandb.mode == "offline":
            say(f"to W&B: {sync_command(out)}")
    summary.show_failed(study, failed, console)
