"""Schedules of the learning rate: torch's own, or the user's, as a run's settings name them."""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler

from study.base.errors import BadInput, unknown_key
from study.base.names import SCHEDULE
from study.runs.settings import Optimizer, Schedule

SCHEDULES: dict[str, Any] = {}  # Each is named by its import path.
KEY = "optimizer.schedule"
OWN_FUNCTION = "write a function that takes the optimizer and returns the schedule, named a.b:c"


def make_schedule(settings: Optimizer, optimizer: torch.optim.Optimizer) -> LRScheduler | None:
    """Return the schedule that a run's settings name, None without one.

    Its step is to be called once every ``settings.schedule.interval``, as Lightning does with
    ``{"scheduler": make_schedule(settings, optimizer), "interval": settings.schedule.interval}``.

    Raises
    ------
    BadInput
        No such schedule, one that refuses the arguments, one that is made from other schedules, or
        one whose steps need a metric.

    Examples
    --------
    >>> schedule = {"class_path": "torch.optim.lr_scheduler.StepLR", "init_args": {"step_size": 2}}
    >>> sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> made = make_schedule(Optimizer(schedule=schedule), sgd)
    >>> for _ in range(3):
    ...     sgd.step(); made.step(); print(sgd.param_groups[0]["lr"])
    1.0
    0.1
    0.1
    """
    if settings.schedule is None:
        return None
    path, arguments = settings.schedule.class_path, settings.schedule.init_args
    make = SCHEDULE.resolve(path, f"{KEY}.class_path")
    if not callable(make) or (isinstance(make, type) and not issubclass(make, LRScheduler)):
        raise BadInput(f"{KEY}.class_path", "a subclass of LRScheduler of torch", path)
    known = [name for name in inspect.signature(make).parameters if name != "optimizer"]
    if "schedulers" in known:
        expected = "a schedule that is not made from others"
        raise BadInput(f"{KEY}.class_path", expected, path, OWN_FUNCTION)
    for name in arguments:
        if name not in known:
            key = f"{KEY}.init_args"
            raise unknown_key(f"{key}.{name}", [f"{key}.{each}" for each in known])
    # Its first step may come before one of this optimizer: to go on, and for optimizers joined.
    optimizer._opt_called = True  # type: ignore[attr-defined]
    try:
        made = make(optimizer, **arguments)
    except Exception as error:  # whatever a user's own code raises
        raise BadInput(KEY, f"arguments that {path} takes", _said(error)) from None
    if not isinstance(made, LRScheduler):
        raise BadInput(f"{KEY}.class_path", "a function that returns an LRScheduler of torch", path)
    _refuse_metric(made, path)
    return made


def _refuse_metric(schedule: LRScheduler, path: str) -> None:
    taken = inspect.signature(schedule.step).parameters.values()
    named = (each for each in taken if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD))
    if any(each.default is each.empty for each in named):
        hint = "a run is evaluated apart from its steps"
        raise BadInput(f"{KEY}.class_path", "a schedule that needs no metric", path, hint)


def try_schedule(settings: Schedule, schedule: LRScheduler, number: int) -> None:
    """Take all steps of a schedule, as some are made for a number of steps.

    Raises
    ------
    BadInput
        It cannot be stepped so often, or sets a learning rate that is none.
    """
    try:
        for _ in range(number):
            schedule.step()
            for rate in schedule.get_last_lr():
                if not 0 <= rate < math.inf:
                    found = f"{settings.class_path}, which sets {float(rate)}"
                    raise BadInput(KEY, "a schedule of learning rates of at least 0", found)
    except BadInput:
        raise
    except Exception as error:  # whatever a user's own code raises
        expected = f"a schedule of at least {number:,} steps, one each {settings.interval}"
        raise BadInput(KEY, expected, settings.class_path, _said(error)) from None


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
