"""Schedules of the learning rate: which are made or refused, and how a run trains by them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from helpers import same, small_run, train_stack
from torch.optim import lr_scheduler

from study.base.errors import BadInput
from study.runs.run import Run
from study.runs.settings import Optimizer
from study.training.optimizers import RunOptimizer
from study.training.schedules import make_schedule

LR = "torch.optim.lr_scheduler"
# Each of torch's schedules that a config can name, with arguments.
TORCHS: dict[str, dict[str, Any]] = {
    "ConstantLR": {"factor": 0.5, "total_iters": 3},
    "CosineAnnealingLR": {"T_max": 7},
    "CosineAnnealingWarmRestarts": {"T_0": 3},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3},
    "ExponentialLR": {"gamma": 0.9},
    "LinearLR": {},
    "MultiStepLR": {"milestones": [2, 5]},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 30},
    "PolynomialLR": {"total_iters": 9, "power": 2},
    "StepLR": {"step_size": 3},
}


def warm_up(optimizer: torch.optim.Optimizer, steps: int) -> lr_scheduler.LRScheduler:
    """Return a schedule made from two: a rise, then a fall."""
    up = lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=steps)
    down = lr_scheduler.ExponentialLR(optimizer, 0.9)
    return lr_scheduler.SequentialLR(optimizer, [up, down], milestones=[steps])


def no_schedule(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Return something else."""
    return optimizer


def sgd(path: str, arguments: dict[str, Any]) -> Optimizer:
    """Return settings with a schedule."""
    args = {"lr": 0.1, "momentum": 0.9}
    return Optimizer("torch.optim.SGD", args, {"class_path": path, "init_args": arguments})


def parameters() -> list[torch.Tensor]:
    return [torch.zeros(2)]


NAMED = [*((f"{LR}.{name}", args) for name, args in TORCHS.items())]
NAMED.append((f"{__name__}:warm_up", {"steps": 4}))


@pytest.mark.parametrize(("path", "arguments"), NAMED, ids=lambda v: str(v).rpartition(".")[2])
def test_any_schedule_goes_on_with_the_same_numbers(path: str, arguments: dict[str, Any]) -> None:
    settings, optimizer = sgd(path, arguments), torch.optim.SGD(parameters(), 0.1, 0.9)
    make = warm_up if path.endswith("warm_up") else getattr(lr_scheduler, path.split(".")[-1])
    expected = make(optimizer, **arguments)
    run = RunOptimizer(settings, parameters())
    seen = set()
    for _ in range(12):
        optimizer.step()
        expected.step()
        run.advance("epoch")
        run.advance("step")  # it is none of each step
        run = RunOptimizer(settings, parameters(), run.save())
        found = run.optimizer.param_groups[0]
        assert (found["lr"], found["momentum"]) == (
            optimizer.param_groups[0]["lr"],
            optimizer.param_groups[0]["momentum"],
        )
        seen.add(found["lr"])
    assert len(seen) > 1


def test_each_of_torchs_schedules_is_tried_or_refused() -> None:
    every = {name for name, each in vars(lr_scheduler).items() if isinstance(each, type)}
    offered = {
        name for name in every if issubclass(getattr(lr_scheduler, name), lr_scheduler.LRScheduler)
    }
    refused = {"ReduceLROnPlateau", "SequentialLR", "ChainedScheduler"}
    functions = {"LambdaLR", "MultiplicativeLR"}  # a config has no functions
    bases = {"LRScheduler", "_LRScheduler"}
    assert offered - refused - functions - bases == set(TORCHS)


@pytest.mark.parametrize(
    ("path", "arguments", "key", "message"),
    [
        (f"{LR}.ReduceLROnPlateau", {}, ".class_path", "a schedule that needs no metric"),
        (f"{LR}.SequentialLR", {"schedulers": []}, ".class_path", "write a function"),
        (f"{LR}.ChainedScheduler", {"schedulers": []}, ".class_path", "write a function"),
        (f"{LR}.LRScheduler", {}, "", "NotImplementedError"),
        (f"{LR}.LambdaLR", {"lr_lambda": 0.9}, "", "not callable"),
        (f"{LR}.StepLR", {"step_size": 2, "last_epoch": 3}, "", "initial_lr"),
        (f"{__name__}:no_schedule", {}, ".class_path", "a function that returns an LRScheduler"),
        (f"{__name__}:LR", {}, ".class_path", "a subclass of LRScheduler"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(
    path: str, arguments: dict[str, Any], key: str, message: str
) -> None:
    with pytest.raises(BadInput, match=message) as fault:
        make_schedule(sgd(path, arguments), torch.optim.SGD(parameters(), 0.1))
    assert fault.value.key == f"optimizer.schedule{key}"


def scheduled(run: Run, interval: str, factor: float) -> Run:
    """Return a run whose learning rate is ``factor`` times what it was, from its first step on."""
    args = {"factor": factor, "total_iters": 99}
    schedule = {"class_path": f"{LR}.ConstantLR", "init_args": args, "interval": interval}
    return run.with_settings({"optimizer.schedule": schedule})


def test_a_run_with_a_schedule_trains_by_it_and_its_neighbours_do_not() -> None:
    plain, slow = small_run(0), small_run(0, **{"optimizer.lr": 2**-10})
    runs = [plain, scheduled(slow, "epoch", 0.5), scheduled(slow, "step", 0.5)]
    slower = small_run(0, **{"optimizer.lr": 2**-11})
    stack = train_stack(runs)[1]
    alone = [train_stack([run])[1].slots[0] for run in (plain, slower)]
    assert same(bare(stack.slots[0]), bare(alone[0]))
    assert same(bare(stack.slots[1]), bare(alone[1]))
    assert same(bare(stack.slots[2]), bare(alone[1]))
    assert not math.isnan(bare(stack.slots[1])[-1]["train_cross_entropy"])
    assert not same(bare(stack.slots[0]), bare(stack.slots[1]))


def bare(slot: Any) -> list[dict[str, Any]]:
    """Return a run's history without its id."""
    return [{k: v for k, v in row.items() if k != "run"} for row in slot.history]
