"""Adam: the paper's algorithm, torch's own step for step, known minima and exact limits."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim import lr_scheduler

from study.nn.adam import Adam

BOTH = pytest.mark.parametrize("fused", [True, False])
SHAPES = [(4, 3), (7,), (2, 3, 2)]

some = settings(max_examples=40, deadline=None, derandomize=True)


def leaves(*shapes: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float64) -> Any:
    """Return random parameters of one seed."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes
    ]


def feed(parameters: list[Tensor], step: int, seed: int = 100) -> None:
    """Set the gradient: a pull to 10 with noise of a size that changes from step to step."""
    generator = torch.Generator().manual_seed(1000 * seed + step)
    for parameter in parameters:
        noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        parameter.grad = parameter.detach() - 10 + (1 + step % 7) * noise


def relative(a: Tensor, b: Tensor) -> float:
    """Return the largest difference, relative to the largest element."""
    return float((a - b).detach().abs().max() / b.detach().abs().max())


@BOTH
@pytest.mark.parametrize(
    ("reference", "numbers"),
    [
        (torch.optim.Adam, {"lr": 1e-3}),
        (torch.optim.Adam, {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-3}),
        (torch.optim.Adam, {"lr": 1e-2, "weight_decay": 0.1}),
        (torch.optim.AdamW, {"lr": 1e-2, "weight_decay": 0.1}),
    ],
    ids=["defaults", "numbers", "l2", "decoupled"],
)
@pytest.mark.parametrize(
    # Rounding of 1,000 steps: each is good to 6e-8 in float32 and to 1e-16 in float64.
    ("dtype", "bound"),
    [(torch.float32, 1e-6), (torch.float64, 1e-14)],
)
def test_a_thousand_steps_are_torchs_step_for_step(
    reference: Any, numbers: dict[str, Any], fused: bool, dtype: torch.dtype, bound: float
) -> None:
    ours, theirs = leaves(*SHAPES, dtype=dtype), leaves(*SHAPES, dtype=dtype)
    decoupled = reference is torch.optim.AdamW
    adam = Adam(ours, **numbers, decoupled_weight_decay=decoupled, fused=fused)
    torchs = reference(theirs, **numbers, foreach=False, fused=False)
    start = [parameter.detach().clone() for parameter in ours]
    for step in range(1000):
        # The same gradients for both, so that no feedback hides a difference.
        feed(ours, step)
        for mine, other in zip(ours, theirs, strict=True):
            other.grad = mine.grad.clone()
        adam.step()
        torchs.step()
        assert max(map(relative, ours, theirs)) < bound, f"step {step}"
    assert min(map(relative, ours, start)) > 0.1  # they have moved


@pytest.mark.parametrize("decoupled", [False, True])
def test_fused_updates_have_the_bits_of_torchs_fused_kernel(decoupled: bool) -> None:
    ours, theirs = leaves(*SHAPES, dtype=torch.float32), leaves(*SHAPES, dtype=torch.float32)
    numbers = {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.1}
    adam = Adam(ours, **numbers, decoupled_weight_decay=decoupled)
    reference = torch.optim.AdamW if decoupled else torch.optim.Adam
    torchs = reference(theirs, **numbers, fused=True)
    for step in range(100):
        feed(ours, step)
        feed(theirs, step)
        adam.step()
        torchs.step()
    assert all(map(torch.equal, ours, theirs))


@BOTH
@some
@given(
    lr=st.floats(1e-4, 1.0),
    betas=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
    eps=st.floats(1e-10, 1e-1),
    gradients=st.lists(st.floats(-100, 100), min_size=1, max_size=20),
)
def test_steps_are_algorithm_1_of_the_paper(
    fused: bool, lr: float, betas: tuple[float, float], eps: float, gradients: list[float]
) -> None:
    theta, m, v = 1.0, 0.0, 0.0
    parameter = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    adam = Adam([parameter], lr=lr, betas=betas, eps=eps, fused=fused)
    for t, g in enumerate(gradients, start=1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
        theta -= lr * m_hat / (math.sqrt(v_hat) + eps)
        parameter.grad = torch.tensor([g], dtype=torch.float64)
        adam.step()
        # Rounding, of which m loses some when gradients cancel.
        assert parameter.item() == pytest.approx(theta, rel=1e-9, abs=1e-9)


@BOTH
def test_first_step_has_its_closed_form(fused: bool) -> None:
    (theta,) = leaves((50,))
    before = theta.detach().clone()
    feed([theta], 3)
    g = theta.grad.clone()
    Adam([theta], lr=0.01, eps=1e-3, fused=fused).step()
    expected = before - 0.01 * g / (g.abs() + 1e-3)
    torch.testing.assert_close(theta.detach(), expected, rtol=1e-14, atol=1e-15)


@BOTH
def test_with_a_constant_gradient_every_step_is_as_the_first(fused: bool) -> None:
    g = torch.tensor([2.0, -0.5, 1e-6], dtype=torch.float64)
    theta = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    adam = Adam([theta], lr=0.1, eps=1e-6, fused=fused)
    for t in range(1, 101):
        theta.grad = g.clone()
        adam.step()
        # m_hat = g and v_hat = g^2 at every t.
        expected = -0.1 * t * g / (g.abs() + 1e-6)
        torch.testing.assert_close(theta.detach(), expected, rtol=1e-11, atol=0)


@BOTH
def test_eps_stands_outside_the_bias_correction(fused: bool) -> None:
    def first_step(g: float) -> float:
        theta = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        theta.grad = torch.tensor([g], dtype=torch.float64)
        Adam([theta], lr=1.0, eps=1e-8, fused=fused).step()
        return -theta.item()

    def with_eps_hat(g: float) -> float:
        return g / (g + 1e-8 / math.sqrt(1 - 0.999))

    assert first_step(1e-8) == pytest.approx(0.5, rel=1e-12)
    assert with_eps_hat(1e-8) == pytest.approx(0.0307, rel=1e-2)
    # Where eps rules, TensorFlow's older form takes a step smaller by 1/sqrt(1 - beta2).
    ratio = first_step(1e-14) / with_eps_hat(1e-14)
    assert ratio == pytest.approx(1 / math.sqrt(1 - 0.999), rel=1e-5)
    assert round(ratio, 1) == 31.6


@BOTH
def test_reaches_the_minimum_of_a_parabola(fused: bool) -> None:
    minimum = torch.tensor([3.0, -2.0, 0.5], dtype=torch.float64)
    theta = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    adam = Adam([theta], lr=0.05, fused=fused)
    for _ in range(1000):
        adam.zero_grad()
        (theta - minimum).square().sum().backward()
        adam.step()
    torch.testing.assert_close(theta.detach(), minimum, rtol=0, atol=1e-6)


@BOTH
def test_reaches_the_minimum_of_rosenbrocks_valley(fused: bool) -> None:
    theta = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    adam = Adam([theta], lr=0.02, fused=fused)
    for _ in range(4000):
        x, y = theta.detach().tolist()
        slope = [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)]
        theta.grad = torch.tensor(slope, dtype=torch.float64)
        adam.step()
    torch.testing.assert_close(theta.detach(), torch.ones_like(theta), rtol=0, atol=1e-4)


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_memory_and_eps_a_step_is_exactly_the_sign(dtype: torch.dtype, fused: bool) -> None:
    (theta,) = leaves((97,), dtype=dtype)
    adam = Adam([theta], lr=0.125, betas=(0.0, 0.0), eps=0.0, fused=fused)
    for step in range(5):
        feed([theta], step)
        expected = theta.detach() - 0.125 * theta.grad.sign()
        adam.step()
        assert torch.equal(theta.detach(), expected)


@BOTH
def test_a_learning_rate_of_zero_leaves_every_bit(fused: bool) -> None:
    parameters = leaves(*SHAPES, dtype=torch.float32)
    before = [parameter.detach().clone() for parameter in parameters]
    for decoupled in (False, True):
        adam = Adam(
            parameters, lr=0.0, weight_decay=0.5, decoupled_weight_decay=decoupled, fused=fused
        )
        for step in range(10):
            feed(parameters, step)
            adam.step()
    assert all(map(torch.equal, parameters, before))


@BOTH
def test_a_gradient_of_zero_leaves_every_bit(fused: bool) -> None:
    (theta,) = leaves((9,), dtype=torch.float32)
    before = theta.detach().clone()
    theta.grad = torch.zeros_like(theta)
    adam = Adam([theta], fused=fused)
    adam.step()
    adam.step()
    assert torch.equal(theta.detach(), before)


@BOTH
def test_decoupled_decay_shrinks_weights_that_have_no_slope(fused: bool) -> None:
    theta = torch.ones(3, dtype=torch.float64, requires_grad=True)
    theta.grad = torch.zeros_like(theta)
    adam = Adam([theta], lr=0.1, weight_decay=0.5, decoupled_weight_decay=True, fused=fused)
    for _ in range(3):
        adam.step()
    torch.testing.assert_close(theta.detach(), torch.full_like(theta, 0.95**3), rtol=1e-14, atol=0)


# Parameter groups


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
        single = Adam(alone, **NUMBERS[run], fused=fused)
        for step in range(20):
            feed(alone, step, seed=run)
            single.step()
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
    feed(parameters[:1], 0)
    adam.step()
    assert torch.equal(parameters[1].detach(), before)
    assert parameters[1] not in adam.state
    assert adam.state[parameters[0]]["step"] == 1


@BOTH
def test_a_group_may_mix_types_and_memory_layouts(fused: bool) -> None:
    start = torch.arange(12.0).reshape(3, 4)
    mixed = [start.clone(), start.double(), start.T.clone().T]
    for parameter in mixed:
        parameter.requires_grad_()
    adam = Adam(mixed, lr=0.1, fused=fused)
    for step in range(3):
        for parameter in mixed:
            parameter.grad = (start + step).to(parameter.dtype)
        adam.step()
    for parameter in mixed[1:]:
        # The numbers are those of float32, to a few roundings.
        torch.testing.assert_close(parameter.float(), mixed[0], rtol=1e-6, atol=1e-6)


# What any torch optimizer does


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_saved_and_loaded_in_between_gives_the_bits_of_never_stopping(
    dtype: torch.dtype, fused: bool
) -> None:
    def make(parameters: list[Tensor]) -> Adam:
        # The second group's numbers come from the saved state, not from here.
        return Adam([{"params": parameters[:2]}, {"params": parameters[2:]}], fused=fused)

    def train(adam: Adam, parameters: list[Tensor], steps: range) -> None:
        for step in steps:
            feed(parameters, step)
            adam.step()

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
