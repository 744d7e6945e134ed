"""A run's optimizer and schedule: any of torch's, taken up again with the same bits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor
from torch.optim.optimizer import ParamsT

from study.base.errors import BadInput
from study.nn.adam import Adam
from study.nn.mlp import StackedMLP
from study.runs.settings import Optimizer
from study.training.optimizers import (
    RunOptimizer,
    StackOptimizer,
    joined,
    load_weights,
    make_optimizer,
    numbers,
    optimizer_class,
    try_optimizer,
)

WIDTHS = [7, 5, 3]
EPOCH = 2  # steps
LR = "torch.optim.lr_scheduler"


class Eager(torch.optim.SGD):
    """Averages gradients in a state that its constructor makes, and only its constructor."""

    def __init__(self, params: ParamsT, lr: float) -> None:
        super().__init__(params, lr=lr)
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter]["average"] = torch.zeros_like(parameter)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Add a tenth of each gradient to its average, and go down the average."""
        for group in self.param_groups:
            for parameter in group["params"]:
                average = self.state[parameter]["average"]
                average.mul_(0.9).add_(parameter.grad, alpha=0.1)
                parameter.sub_(average, alpha=group["lr"])


CHOICES = {
    "Adam": Optimizer(lr=0.01),
    "Adam, written": Optimizer(lr=0.01, fused=False, weight_decay=0.1),
    "SGD": Optimizer("torch.optim.SGD", lr=0.1, momentum=0.9),
    "plain SGD": Optimizer("torch.optim.SGD", lr=0.1),
    "AdamW": Optimizer("torch.optim.AdamW", lr=0.01, amsgrad=True),
    "RMSprop": Optimizer("torch.optim.RMSprop", lr=0.01, momentum=0.5),
    "Adagrad": Optimizer("torch.optim.Adagrad", lr=0.1, lr_decay=0.01),
    "Eager": Optimizer(f"{__name__}.Eager", lr=0.1),
    "NAdam": Optimizer("torch.optim.NAdam", lr=0.01),
}
EXPONENTIAL = {"class_path": f"{LR}.ExponentialLR", "init_args": {"gamma": 0.7}}
ONE_CYCLE = {"max_lr": 0.1, "total_steps": 99, "cycle_momentum": True}
CHOICES |= {
    "Adam, each epoch": Optimizer(lr=0.01, schedule=EXPONENTIAL),
    "SGD, each step": Optimizer(
        class_path="torch.optim.SGD",
        lr=0.1,
        momentum=0.9,
        schedule={
            "class_path": f"{LR}.OneCycleLR",
            "init_args": ONE_CYCLE,
            "interval": "step",
        },
    ),
}
EACH = pytest.mark.parametrize("name", sorted(CHOICES))


def feed(rows: list[Tensor], step: int, seed: int) -> None:
    """Set the gradients of a run at a step."""
    generator = torch.Generator().manual_seed(1000 * seed + step)
    for row in rows:
        row.grad = row + torch.randn(row.shape, generator=generator)


def train(
    settings: Optimizer, seeds: list[int], steps: range, state: Mapping[str, Tensor] | None = None
) -> RunOptimizer:
    """Train seeds, all but the last anew; the last begins from ``state`` and is returned."""
    stack = StackedMLP(len(seeds), WIDTHS)
    optimizers = []
    for slot, seed in enumerate(seeds):
        last = state if slot == len(seeds) - 1 else None
        stack.initialize(slot, seed)
        if last is not None:
            load_weights(stack.rows(slot), last)
        optimizers.append(RunOptimizer(settings, stack.rows(slot), last))
    for step in steps:
        for each, seed in zip(optimizers, seeds, strict=True):
            feed(list(each.parameters), step, seed)
            each.step()
        if (step + 1) % EPOCH == 0:
            for each in optimizers:
                each.advance("epoch")
    return optimizers[-1]


def equal(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    """Tell whether two states are the same to the bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@EACH
def test_saved_and_made_again_elsewhere_goes_on_with_the_same_bits(name: str) -> None:
    through = train(CHOICES[name], [4], range(4 * EPOCH))
    half = train(CHOICES[name], [4], range(2 * EPOCH)).save()
    in_a_file = load(save({key: tensor.contiguous() for key, tensor in half.items()}))
    resumed = train(CHOICES[name], [7, 4], range(2 * EPOCH, 4 * EPOCH), in_a_file)
    assert equal(through.save(), resumed.save())
    assert numbers(through.optimizer) == numbers(resumed.optimizer)
    assert not equal(half, through.save())


@EACH
def test_runs_joined_train_to_the_bits_they_have_alone(name: str) -> None:
    seeds = [1, 2, 4]
    alone = [train(CHOICES[name], [seed], range(3)).save() for seed in seeds]
    stack = StackedMLP(3, WIDTHS)
    for slot, seed in enumerate(seeds):
        stack.initialize(slot, seed)
    optimizers = [RunOptimizer(CHOICES[name], stack.rows(slot)) for slot in range(3)]
    together = joined(optimizers)
    for step in range(3):
        for each, seed in zip(optimizers, seeds, strict=True):
            feed(list(each.parameters), step, seed)
        together.param_groups[0].update(numbers(optimizers[0].optimizer)[0])
        together.step()
        for each in optimizers:
            each.advance("step")
            if (step + 1) % EPOCH == 0:
                each.advance("epoch")
    assert all(map(equal, [each.save() for each in optimizers], alone))


def test_lightning_is_shown_the_numbers_of_every_run() -> None:
    rows = [StackedMLP(1, WIDTHS).rows(0) for _ in range(2)]
    runs = [RunOptimizer(Optimizer(lr=lr), row) for lr, row in zip((1, 2), rows, strict=True)]
    shown = StackOptimizer(runs)
    assert [group["lr"] for group in shown.param_groups] == [1, 2]
    before = [row[0].clone() for row in rows]
    feed(rows[0], 0, seed=0)
    shown.step()
    shown.load_state_dict(shown.state_dict())
    assert all(map(torch.equal, before, [row[0] for row in rows]))
    runs[1].check_untouched()
    shown.param_groups[1]["lr"] = 3
    with pytest.raises(BadInput, match=r"optimizer\.lr: expected 2\.0, as the run's, found 3"):
        runs[1].check_untouched()


def test_a_saved_state_is_named_as_a_sequential_and_is_a_copy() -> None:
    stack = StackedMLP(2, WIDTHS)
    optimizer = RunOptimizer(CHOICES["Adam"], stack.rows(1))
    weights = ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert list(optimizer.save()) == weights
    assert list(stack.network(1).state_dict()) == weights
    run = train(CHOICES["Adam"], [1], range(1))
    state = run.save()
    assert {key for key in state if key.startswith("optimizer.")} == {
        f"optimizer.{weight}.{name}" for weight in weights for name in ("step", "m", "v")
    }
    kept = {key: tensor.clone() for key, tensor in state.items()}
    feed(list(run.parameters), 1, seed=1)
    run.step()
    assert equal(state, kept)
    stack.network(1).load_state_dict({key: state[key] for key in weights})


def test_this_packages_adam_and_any_torch_optimizer_are_found_by_name() -> None:
    assert optimizer_class(Optimizer()) is Adam
    assert optimizer_class(CHOICES["RMSprop"]) is torch.optim.RMSprop
    with pytest.raises(BadInput, match=r"did you mean 'study.Adam'"):
        Optimizer("study.nn.adam.Adam")  # the same object has one name


@pytest.mark.parametrize(
    "class_path",
    [
        "torch.optim.SDG",
        "no_such_package.SGD",
        "torch.nn.Linear",
        "torch.optim.lr_scheduler",
    ],
)
def test_a_class_that_is_no_torch_optimizer_is_refused_by_name(class_path: str) -> None:
    with pytest.raises(BadInput, match=re.escape(f"found '{class_path}'")) as fault:
        optimizer_class(Optimizer(class_path, {"lr": 0.1}))
    assert fault.value.key == "optimizer.class_path"


@pytest.mark.parametrize(
    ("class_path", "arguments"),
    [
        ("torch.optim.SGD", {"lr": -0.1}),
        ("torch.optim.SGD", {"lr": "fast"}),
        ("torch.optim.AdamW", {"betas": [0.9, 1.0]}),
        ("torch.optim.RMSprop", {"alpha": -1.0}),
        ("torch.optim.Adam", {"fused": True, "foreach": True}),
    ],
)
def test_arguments_that_the_class_refuses_are_refused(
    class_path: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(BadInput, match=f"arguments that {class_path} takes") as fault:
        make_optimizer(Optimizer(class_path, arguments), StackedMLP(1, WIDTHS).rows(0))
    assert fault.value.key.startswith("optimizer")


def test_an_argument_that_the_class_does_not_know_is_named_with_the_nearest() -> None:
    settings = Optimizer("torch.optim.SGD", {"lr": 0.1, "momentm": 0.9})
    with pytest.raises(BadInput, match=r"did you mean 'optimizer\.momentum'\?") as fault:
        make_optimizer(settings, StackedMLP(1, WIDTHS).rows(0))
    assert fault.value.key == "optimizer.momentm"


class Hooked(torch.optim.SGD):
    """Halves gradients in a hook of its own."""

    def __init__(self, params: ParamsT, lr: float) -> None:
        super().__init__(params, lr=lr)
        self.register_step_pre_hook(lambda *_: [p.grad.mul_(0.5) for p in self._all()] and None)

    def _all(self) -> list[Tensor]:
        return list(self.param_groups[0]["params"])


def test_an_optimizer_s_own_hooks_are_called() -> None:
    found = train(Optimizer(f"{__name__}.Hooked", {"lr": 0.5}), [4], range(3)).save()
    expected = train(Optimizer("torch.optim.SGD", {"lr": 0.25}), [4], range(3)).save()
    assert equal(found, expected)


class Counts(torch.optim.SGD):
    """Counts its steps, in a state that is no tensor or among its numbers."""

    def __init__(self, params: ParamsT, lr: float, where: str) -> None:
        super().__init__(params, lr=lr)
        self.param_groups[0]["where"] = where

    def step(self, closure: None = None) -> None:
        """Count."""
        (group,) = self.param_groups
        home = self.state[group["params"][0]] if group["where"] == "state" else group
        home["steps"] = home.get("steps", 0) + 1


@pytest.mark.parametrize("where", ["state", "numbers"])
def test_an_optimizer_that_cannot_be_resumed_is_refused_before_it_trains(where: str) -> None:
    settings = Optimizer(f"{__name__}.Counts", {"lr": 0.1, "where": where})
    with pytest.raises(BadInput, match="state is all tensors") as fault:
        try_optimizer(settings, epochs=1, steps=1)
    assert fault.value.key == "optimizer.class_path"
