"""Adam as any torch optimizer: groups, closures, schedulers, saving, compiling."""

from __future__ import annotations

import io

import pytest
import torch
from adam_cases import BOTH, SHAPES, feed, leaves, relative, train
from torch import Tensor, nn
from torch.optim import lr_scheduler

from study.nn.adam import Adam


def rows_of(runs: int) -> list[list[Tensor]]:
    """Return parameters of each run."""
    return [leaves((5, 3), (5,), seed=run, dtype=torch.float32) for run in range(runs)]


NUMBERS = [
    {"lr": 0.1},
    {"lr": 1e-3, "betas": (0.5, 0.99), "eps": 1e-4},
    {"lr": 0.01, "weight_decay": 0.1},
    {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True},
]


@BOTH
def test_a_groups_update_has_the_bits_it_has_without_the_other_groups(fused: bool) -> None:
    together = rows_of(4)
    groups = [{"params": rows, **numbers} for rows, numbers in zip(together, NUMBERS, strict=True)]
    adam = Adam(groups, fused=fused)
    for step in range(20):
        for run, rows in enumerate(together):
            feed(rows, step, seed=run)
        adam.step()
    for run, rows in enumerate(together):
        alone = rows_of(4)[run]
        train(Adam(alone, **NUMBERS[run], fused=fused), alone, range(20), seed=run)
        assert all(map(torch.equal, rows, alone))


@BOTH
def test_a_group_of_nan_changes_no_bit_of_the_others(fused: bool) -> None:
    results = []
    for bad in (False, True):
        rows = rows_of(3)
        adam = Adam([{"params": each} for each in rows], lr=0.01, fused=fused)
        for step in range(5):
            for run, each in enumerate(rows):
                feed(each, step, seed=run)
            if bad:
                rows[1][0].grad.fill_(torch.nan)
            adam.step()
        results.append(rows)
    sound, spoilt = results
    assert spoilt[1][0].isnan().all()
    for run in (0, 2):
        assert all(map(torch.equal, sound[run], spoilt[run]))


@BOTH
def test_a_parameter_without_a_gradient_is_untouched_and_has_no_state(fused: bool) -> None:
    parameters = leaves((3,), (4,))
    before = parameters[1].detach().clone()
    adam = Adam(parameters, lr=0.1, weight_decay=0.1, fused=fused)
    train(adam, parameters[:1], range(1))
    assert torch.equal(parameters[1].detach(), before)
    assert parameters[1] not in adam.state
    assert adam.state[parameters[0]]["step"] == 1


# What any torch optimizer does


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_saved_and_loaded_in_between_gives_the_bits_of_never_stopping(
    dtype: torch.dtype, fused: bool
) -> None:
    def make(parameters: list[Tensor]) -> Adam:
        # The second group's numbers come from the saved state, not from here.
        return Adam([{"params": parameters[:2]}, {"params": parameters[2:]}], fused=fused)

    through = leaves(*SHAPES, dtype=dtype)
    adam = make(through)
    adam.param_groups[1].update(lr=0.05, betas=(0.8, 0.9), weight_decay=0.01)
    train(adam, through, range(10))
    file = io.BytesIO()
    torch.save({"adam": adam.state_dict(), "parameters": through}, file)
    train(adam, through, range(10, 20))

    file.seek(0)
    content = torch.load(file, weights_only=True)
    resumed = [parameter.detach().requires_grad_() for parameter in content["parameters"]]
    again = make(resumed)
    again.load_state_dict(content["adam"])
    train(again, resumed, range(10, 20))
    assert again.param_groups[1]["lr"] == 0.05
    assert all(map(torch.equal, through, resumed))


@BOTH
def test_a_closure_is_evaluated_with_gradients_and_its_loss_returned(fused: bool) -> None:
    theta = torch.tensor([3.0], requires_grad=True)
    adam = Adam([theta], lr=0.1, fused=fused)

    def closure() -> float:
        adam.zero_grad()
        loss = theta.square().sum()
        loss.backward()
        return loss.item()

    with torch.no_grad():
        losses = [adam.step(closure) for _ in range(3)]
    assert losses[0] == 9.0
    assert losses == sorted(losses, reverse=True)
    theta.grad = None
    assert adam.step() is None


SCHEDULERS = {
    "StepLR": lambda adam: lr_scheduler.StepLR(adam, step_size=3, gamma=0.5),
    "LambdaLR": lambda adam: lr_scheduler.LambdaLR(adam, lambda step: 1 / (1 + step)),
    "ReduceLROnPlateau": lambda adam: lr_scheduler.ReduceLROnPlateau(adam, patience=2, factor=0.1),
    "OneCycleLR": lambda adam: lr_scheduler.OneCycleLR(adam, max_lr=0.1, total_steps=30),
}


@BOTH
@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_schedulers_change_the_learning_rate_as_they_do_torchs(name: str, fused: bool) -> None:
    results, rates = [], []
    for make in (lambda p: Adam(p, lr=0.1, fused=fused), lambda p: torch.optim.Adam(p, lr=0.1)):
        parameters = leaves(*SHAPES)
        adam = make(parameters)
        scheduler = SCHEDULERS[name](adam)
        rates.append([])
        for step in range(20):
            feed(parameters, step)
            adam.step()
            scheduler.step(*([1.0] if name == "ReduceLROnPlateau" else []))
            rates[-1].append(adam.param_groups[0]["lr"])
        results.append(parameters)
    assert rates[0] == rates[1]
    assert len(set(rates[0])) > 2
    assert max(map(relative, *results)) < 1e-13


@BOTH
def test_sparse_gradients_are_refused_and_change_nothing(fused: bool) -> None:
    embedding = nn.Embedding(5, 2, sparse=True)
    before = embedding.weight.detach().clone()
    embedding(torch.tensor([1, 3])).sum().backward()
    adam = Adam(embedding.parameters(), fused=fused)
    with pytest.raises(RuntimeError, match="sparse"):
        adam.step()
    assert torch.equal(embedding.weight.detach(), before)


@BOTH
def test_a_compiled_step_has_the_bits_of_one_that_is_not(fused: bool) -> None:
    torch.compiler.reset()
    results = []
    for compiled in (False, True):
        parameters = leaves((4, 3), (7,), dtype=torch.float32)
        adam = Adam(parameters, lr=0.1, fused=fused)
        step = torch.compile(adam.step) if compiled else adam.step
        for number in range(5):
            feed(parameters, number)
            step()
        assert adam.state[parameters[0]]["step"] == 5
        results.append(parameters)
    assert all(map(torch.equal, *results))
