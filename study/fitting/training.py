"""Trains the runs that are left for a request, with the display, the task and W&B as observers."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from rich.console import Console

from study.data.prepare import DataCache
from study.fitting.before import Work
from study.fitting.session import Session
from study.runs.config import study_yaml
from study.sharing.tasks import Task
from study.terminal.display import Display
from study.wandb.observer import WandbObserver


def train(work: Work, cache: DataCache, console: Console) -> Mapping[str, str] | None:
    """Train; return the errors of failed runs, by id, or None when the training was interrupted."""
    study, out = work.request.study, work.folder.path
    say = functools.partial(console.print, soft_wrap=True)
    task = Task(out, str(work.request.shard))
    wandb = WandbObserver(study, study_yaml(study), out, say)
    with Display(study, [run for each in work.plans for run in each.runs], console) as display:
        session = Session(study, work.folder, cache, task, wandb, [display], say)
        ended = session.train(work.plans, work.unsent)
    return session.failed if ended else None
