"""What Adam refuses, options and numbers and states, and the states that it takes over."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from adam_cases import BOTH, SHAPES, leaves, train
from torch.optim import lr_scheduler

from study.nn.adam import Adam

BAD_NUMBERS = [
    {"lr": -1.0},
    {"lr": math.nan},
    {"eps": -1e-8},
    {"eps": math.nan},
    {"betas": (1.0, 0.9)},
    {"betas": (0.9, 1.0)},
    {"betas": (-0.1, 0.9)},
    {"betas": (0.9, math.nan)},
    {"weight_decay": -1.0},
    {"weight_decay": math.nan},
]


@pytest.mark.parametrize("bad", BAD_NUMBERS, ids=str)
def test_numbers_that_torch_refuses_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"(?i)invalid"):
        torch.optim.Adam(leaves((3,)), **bad)
    (name,) = bad
    with pytest.raises(ValueError, match=f"{name}: expected"):
        Adam(leaves((3,)), **bad)
    with pytest.raises(ValueError, match=f"{name}: expected"):
        Adam([{"params": leaves((3,)), **bad}])  # a run's own


def test_an_infinite_learning_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="lr: expected"):
        Adam(leaves((3,)), lr=math.inf)


def test_no_parameters_and_parameters_given_twice_are_refused_by_torch() -> None:
    with pytest.raises(ValueError, match="empty parameter list"):
        Adam([])
    (theta,) = leaves((3,))
    with pytest.raises(ValueError, match="more than one parameter group"):
        Adam([{"params": [theta]}, {"params": [theta]}])


@pytest.mark.parametrize(
    "option", ["maximize", "amsgrad", "capturable", "foreach", "differentiable"]
)
@pytest.mark.parametrize("value", [False, True])
def test_a_group_with_an_option_that_adam_does_not_have_is_refused(
    option: str, value: bool
) -> None:
    with pytest.raises(TypeError, match=option):
        Adam(leaves((3,)), **{option: value})
    with pytest.raises(TypeError, match=f"^{option}: expected one of lr, betas"):
        Adam([{"params": leaves((3,)), option: value}])
    adam = Adam(leaves((3,)))
    with pytest.raises(TypeError, match=f"^{option}: expected one of lr, betas"):
        adam.add_param_group({"params": leaves((3,)), option: value})
    assert len(adam.param_groups) == 1


def test_a_misspelt_option_of_a_group_is_refused_with_the_nearest() -> None:
    with pytest.raises(TypeError, match="did you mean 'weight_decay'"):
        Adam([{"params": leaves((3,)), "weigth_decay": 0.1}])


def test_a_group_may_have_a_name_and_what_schedulers_write() -> None:
    named = [("weight", leaves((3,))[0])]
    adam = Adam([{"params": named, "name": "head", "initial_lr": 0.1}], lr=0.1)
    lr_scheduler.OneCycleLR(adam, max_lr=0.1, total_steps=30)
    again = Adam(leaves((3,)))
    again.load_state_dict(adam.state_dict())
    assert again.param_groups[0]["name"] == "head"
    assert again.param_groups[0]["max_lr"] == 0.1


def after_a_step(make: Any, **numbers: Any) -> dict[str, Any]:
    """Return the state of an optimizer that has taken a step."""
    thetas = leaves((3,))
    optimizer = make(thetas, **numbers)
    train(optimizer, thetas, range(1))
    return optimizer.state_dict()


@BOTH
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_the_state_of_torchs_adam_is_taken_over(dtype: torch.dtype, fused: bool) -> None:
    theirs = leaves(*SHAPES, dtype=dtype)
    torchs = torch.optim.Adam(theirs, lr=0.05, betas=(0.8, 0.99), weight_decay=0.1)
    train(torchs, theirs, range(5))
    ours = [theta.detach().clone().requires_grad_() for theta in theirs]
    adam = Adam(ours, fused=not fused)
    saved = copy.deepcopy(torchs.state_dict())  # loading shares tensors
    saved["param_groups"][0]["fused"] = fused
    adam.load_state_dict(saved)
    assert "exp_avg" in saved["state"][0]  # the saved state is not changed
    train(adam, ours, range(5, 10))
    train(torchs, theirs, range(5, 10))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "numbers", "complaint"),
    [
        (torch.optim.SGD, {"lr": 0.1}, "without betas, eps"),
        (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}, "without betas, eps"),
        (torch.optim.RMSprop, {}, "without betas"),
        (torch.optim.Adamax, {}, "exp_inf"),
        (torch.optim.NAdam, {}, "mu_product"),
        (torch.optim.Adam, {"amsgrad": True}, "amsgrad to be off"),
        (torch.optim.Adam, {"maximize": True}, "maximize to be off"),
    ],
)
def test_the_state_of_another_optimizer_is_refused_and_changes_nothing(
    make: Any, numbers: dict[str, Any], complaint: str
) -> None:
    thetas = leaves((3,))
    adam = Adam(thetas, lr=0.3)
    train(adam, thetas, range(1))
    before = copy.deepcopy(adam.state_dict())
    with pytest.raises(ValueError, match=complaint):
        adam.load_state_dict(after_a_step(make, **numbers))
    assert adam.param_groups[0]["lr"] == 0.3
    assert str(adam.state_dict()) == str(before)
    adam.step()


def test_a_state_of_parameters_of_another_shape_is_refused() -> None:
    adam = Adam(leaves((4,)))
    with pytest.raises(ValueError, match=r"'m': \(4,\).*found.*'m': \(3,\)"):
        adam.load_state_dict(after_a_step(Adam))


def test_options_that_a_saved_state_lacks_are_the_optimizers_own() -> None:
    saved = after_a_step(Adam, lr=0.2)
    for name in ("fused", "decoupled_weight_decay"):
        del saved["param_groups"][0][name]
    thetas = leaves((3,))
    adam = Adam(thetas, fused=False, decoupled_weight_decay=True)
    adam.load_state_dict(saved)
    assert adam.param_groups[0]["lr"] == 0.2
    assert adam.param_groups[0]["decoupled_weight_decay"]
    assert not adam.param_groups[0]["fused"]
    train(adam, thetas, [1])


def test_a_loaded_optimizer_can_be_saved_extended_copied_and_loaded_again() -> None:
    adam = Adam(leaves((3,)))
    adam.load_state_dict(after_a_step(Adam))
    adam.add_param_group({"params": leaves((2,))})
    again = Adam([{"params": leaves((3,))}, {"params": leaves((2,))}])
    again.load_state_dict(adam.state_dict())
    twin = copy.deepcopy(again)
    assert str(twin.state_dict()) == str(adam.state_dict())
