"""Trains what a request leaves to do, with everything that looks on."""

from __future__ import annotations

import functools

from rich.console import Console

from study.data.prepare import DataCache
from study.fitting.before import Work
from study.fitting.session import Ending, Session
from study.runs.config import study_yaml
from study.terminal.display import Display
from study.wandb.observer import WandbObserver


def train(work: Work, cache: DataCache, console: Console) -> Ending:
    """Train the request's runs, shown on a console."""
    study, out = work.request.study, work.folder.path
    say = functools.partial(console.print, soft_wrap=True)
    wandb = WandbObserver(study, study_yaml(study), out, say)
    with Display(study, [run for each in work.plans for run in each.runs], console) as display:
        return Session(work, cache, wandb, [display], say).train()
