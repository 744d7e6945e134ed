"""Trains what a request leaves to do, with everything that looks on."""

from __future__ import annotations

import functools

from rich.console import Console

from study.data.prepare import DataCache
from study.fitting.before import Work
from study.fitting.session import Ending, Session
from study.terminal.display import Display
from study.wandb.process import Follower


def train(work: Work, cache: DataCache, console: Console) -> Ending:
    """Train the request's runs, shown on a console."""
    study, out = work.request.study, work.folder.path
    say = functools.partial(console.print, soft_wrap=True)
    wandb = Follower(study, out, say)
    with Display(study, [run for each in work.plans for run in each.runs], console) as display:
        return Session(work, cache, wandb, [display], say).train()
