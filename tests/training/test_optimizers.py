"""Optimizers of a stack: any torch optimizer, a group a run, taken up again with the same bits."""

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
from study.training.optimizers import make_optimizer, optimizer_class, restore, saved

WIDTHS = [7, 5, 3]


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
EACH = pytest.mark.parametrize("name", sorted(CHOICES))


def feed(rows: list[Tensor], step: int, seed: int) -> None:
    """Set the gradients of a run at a step."""
    generator = torch.Generator().manual_seed(1000 * seed + step)
    for row in rows:
        row.grad = row + torch.randn(row.shape, generator=generator)


def train(
    settings: Optimizer, slots: list[int], steps: range, state: Mapping[str, Tensor] | None = None
) -> tuple[dict[str, Tensor], torch.optim.Optimizer]:
    """Train seeds in slots; the last begins from ``state``. Return what the last leaves."""
    stack = StackedMLP(len(slots), WIDTHS)
    rows = [stack.rows(slot) for slot in range(len(slots))]
    optimizer = make_optimizer([settings] * len(slots), rows)
    for slot, seed in enumerate(slots):
        stack.initialize(slot, seed)
    restore(optimizer, len(slots) - 1, settings, state)
    for step in steps:
        for slot, seed in enumerate(slots):
            feed(rows[slot], step, seed)
        optimizer.step()
    return saved(optimizer, len(slots) - 1), optimizer


def equal(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    """Tell whether two states are the same to the bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_group_holds_a_runs_parameters_and_numbers() -> None:
    stack = StackedMLP(2, WIDTHS)
    settings = [Optimizer(lr=0.1), Optimizer(lr=0.2, betas=[0.5, 0.6])]
    rows = [stack.rows(slot) for slot in range(2)]
    optimizer = make_optimizer(settings, rows)
    assert type(optimizer) is Adam
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.2]
    assert [group["betas"] for group in optimizer.param_groups] == [(0.9, 0.999), (0.5, 0.6)]
    for group, own in zip(optimizer.param_groups, rows, strict=True):
        assert all(a is b for a, b in zip(group["params"], own, strict=True))


@EACH
def test_a_run_trains_to_the_bits_it_has_alone(name: str) -> None:
    alone, _ = train(CHOICES[name], [4], range(5))
    stacked, _ = train(CHOICES[name], [1, 2, 4], range(5))
    assert equal(alone, stacked)
    start = StackedMLP(1, WIDTHS)
    start.initialize(0, 4)
    assert not torch.equal(alone["0.weight"], start.rows(0)[0])


@EACH
def test_saved_and_restored_elsewhere_goes_on_with_the_same_bits(name: str) -> None:
    through, _ = train(CHOICES[name], [4], range(10))
    half, _ = train(CHOICES[name], [4], range(5))
    in_a_file = load(save({key: tensor.contiguous() for key, tensor in half.items()}))
    resumed, _ = train(CHOICES[name], [7, 8, 4], range(5, 10), in_a_file)
    assert equal(through, resumed)


@EACH
def test_a_slot_given_to_a_new_run_keeps_nothing_of_the_old_one(name: str) -> None:
    fresh, _ = train(CHOICES[name], [4], range(3))
    _, optimizer = train(CHOICES[name], [9, 4], range(6))
    stack = StackedMLP(1, WIDTHS)
    stack.initialize(0, 4)
    rows = optimizer.param_groups[1]["params"]
    for row, initial in zip(rows, stack.rows(0), strict=True):
        row.copy_(initial)
    restore(optimizer, 1, CHOICES[name], None)
    for step in range(3):
        feed(rows, step, seed=4)
        optimizer.step()
    assert equal(saved(optimizer, 1), fresh)


def test_restore_gives_the_group_the_runs_numbers() -> None:
    _, optimizer = train(CHOICES["SGD"], [0, 1], range(1))
    settings = Optimizer("torch.optim.SGD", lr=0.5, momentum=0.1)
    restore(optimizer, 1, settings, None)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5]
    assert [group["momentum"] for group in optimizer.param_groups] == [0.9, 0.1]


def test_a_saved_state_is_named_as_a_sequential_and_is_a_copy() -> None:
    stack = StackedMLP(2, WIDTHS)
    rows = [stack.rows(slot) for slot in range(2)]
    optimizer = make_optimizer([CHOICES["Adam"]] * 2, rows)
    weights = ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert list(saved(optimizer, 1)) == weights
    assert list(stack.network(1).state_dict()) == weights
    feed(rows[1], 0, seed=1)
    optimizer.step()
    state = saved(optimizer, 1)
    assert {key for key in state if key.startswith("optimizer.")} == {
        f"optimizer.{weight}.{name}" for weight in weights for name in ("step", "m", "v")
    }
    kept = {key: tensor.clone() for key, tensor in state.items()}
    feed(rows[1], 1, seed=1)
    optimizer.step()
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
        ("torch.optim.LBFGS", {}),  # it knows one group only, so runs could not be kept apart
    ],
)
def test_arguments_that_the_class_refuses_are_refused(
    class_path: str, arguments: dict[str, Any]
) -> None:
    stack = StackedMLP(2, WIDTHS)
    settings = [Optimizer(class_path, arguments)] * 2
    with pytest.raises(BadInput, match=f"arguments that {class_path} takes") as fault:
        make_optimizer(settings, [stack.rows(slot) for slot in range(2)])
    assert fault.value.key.startswith("optimizer")


def test_an_argument_that_the_class_does_not_know_is_named_with_the_nearest() -> None:
    stack = StackedMLP(1, WIDTHS)
    settings = [Optimizer("torch.optim.SGD", {"lr": 0.1, "momentm": 0.9})]
    with pytest.raises(BadInput, match=r"did you mean 'optimizer\.momentum'\?") as fault:
        make_optimizer(settings, [stack.rows(0)])
    assert fault.value.key == "optimizer.momentm"


def test_an_optimizer_whose_state_is_no_tensor_is_refused_when_it_is_to_be_saved() -> None:
    stack = StackedMLP(1, WIDTHS)
    optimizer = make_optimizer([CHOICES["SGD"]], [stack.rows(0)])
    optimizer.state[optimizer.param_groups[0]["params"][0]]["steps"] = 3
    with pytest.raises(BadInput, match="state is all tensors") as fault:
        saved(optimizer, 0)
    assert fault.value.key == "optimizer.class_path"
