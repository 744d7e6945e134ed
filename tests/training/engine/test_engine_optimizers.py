"""Any torch optimizer and schedule trains the runs of a stack as it trains an ordinary module."""

from __future__ import annotations

import pytest
import torch
from problems import SGD, STEPS, Problem, relative, same_bits, step
from torch import Tensor, nn

from study.base.errors import BadInput
from study.nn.mlp import StackedMLP
from study.runs.settings import Optimizer
from study.training.optimizers import optimizer_class
from study.training.schedules import make_schedule

LR = "torch.optim.lr_scheduler"
OPTIMIZERS = {
    "SGD": Optimizer("torch.optim.SGD", {"lr": 0.5}),
    "momentum": SGD,
    "Nesterov": Optimizer("torch.optim.SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "AdamW": Optimizer("torch.optim.AdamW", {"lr": 0.01}),
    "AdamW, fused": Optimizer("torch.optim.AdamW", {"lr": 0.01, "fused": True}),
    "RMSprop": Optimizer("torch.optim.RMSprop", {"lr": 0.01, "eps": 1e-3}),
    "Adagrad": Optimizer("torch.optim.Adagrad", {"lr": 0.1, "eps": 1e-3}),
    "outside": Optimizer("outside:HalfStep", {"lr": 0.5}),
    "study.Adam": Optimizer(lr=0.01),
    "each epoch": Optimizer(
        "torch.optim.SGD",
        {"lr": 0.5},
        {"class_path": f"{LR}.ExponentialLR", "init_args": {"gamma": 0.5}},
    ),
    "each step": Optimizer(
        lr=0.01,
        schedule={
            "class_path": f"{LR}.CosineAnnealingLR",
            "init_args": {"T_max": 40},
            "interval": "step",
        },
    ),
}


def plain_loop(problem: Problem, seed: int, epochs: int, in_each: int) -> list[Tensor]:
    """Train an ordinary module by an ordinary loop in float64."""
    settings = problem.optimizer
    network = StackedMLP(1, problem.widths, problem.model.activation).double()
    network.initialize(0, seed)
    module = network.network(0)
    optimizer = optimizer_class(settings)(module.parameters(), **settings.init_args)
    schedule = make_schedule(settings, optimizer)
    for epoch in range(epochs):
        for at in range(in_each):
            images, labels = problem.data([seed], epoch * in_each + at)
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(images[0].double()), labels[0]).backward()
            optimizer.step()
            if settings.schedule and settings.schedule.interval == "step":
                schedule.step()
        if settings.schedule and settings.schedule.interval == "epoch":
            schedule.step()
    return [parameter.detach() for parameter in module.parameters()]


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_any_optimizer_and_schedule_trains_as_in_a_plain_loop(name: str, batched: bool) -> None:
    problem = Problem(optimizer=OPTIMIZERS[name], batched=batched)
    engine = problem.engine([3, 8], torch.float64)
    for epoch in range(4):
        for number in range(10 * epoch, 10 * epoch + 10):
            images, labels = problem.data([3, 8], number)
            step(engine, images.double(), labels, [0, 1])
        engine.end_epoch([0, 1])
    for slot, seed in enumerate([3, 8]):
        assert relative(engine.rows[slot], plain_loop(problem, seed, 4, 10)) < 1e-9


@pytest.mark.parametrize("batched", [False, True])
def test_runs_of_other_ages_and_schedules_share_a_stack_without_feeling_each_other(
    batched: bool,
) -> None:
    own = {seed: {"optimizer": OPTIMIZERS["each step"]} for seed in (0, 1, 2)}
    problem = Problem(batched=batched, own={**own, 3: {"optimizer": OPTIMIZERS["study.Adam"]}})
    older = problem.train([0, 1], steps=2 * STEPS)
    state = problem.train([0, 1]).save(1)
    stack = problem.engine([0, 1, 2, 3])
    stack.load(1, problem.run(1), state)  # it has come further than the others
    assert int(state["optimizer.schedule.steps"]) == STEPS
    for number in range(STEPS, 2 * STEPS):
        step(stack, *problem.data([0, 1, 2, 3], number), range(4))
    assert same_bits(stack, 1, older, 1)
    rates = [group["lr"] for group in stack.optimizer.param_groups]
    assert rates[0] == rates[2]
    assert len(set(rates)) == 3


def test_a_learning_rate_that_a_hook_sets_between_steps_of_a_schedule_is_noticed() -> None:
    problem = Problem(optimizer=OPTIMIZERS["each step"])
    engine = problem.train([0])
    engine.optimizer.param_groups[0]["lr"] *= 2
    with pytest.raises(BadInput, match=r"optimizer\.lr: expected .*, as the run's"):
        step(engine, *problem.data([0], STEPS), [0])
