"""Adam: the paper's algorithm, torch's own step for step, known minima and exact limits."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from adam_cases import BOTH, SHAPES, feed, leaves, relative, some, train
from hypothesis import given
from hypothesis import strategies as st

import study
from study.nn.adam import Adam
from study.nn.losses import fused_cross_entropy


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
    train(adam, ours, range(100))
    train(torchs, theirs, range(100))
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
        train(adam, parameters, range(10))
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


def test_a_stack_trains_by_autograd_as_with_torchs_adam() -> None:
    x = torch.randn(4, 32, 20, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(32) % 10
    losses = []
    for make in (study.Adam, torch.optim.Adam):
        stack = study.StackedMLP(4, [20, 30, 10])
        adam = make(stack.parameters(), lr=0.01)
        for _ in range(100):
            adam.zero_grad()
            each = fused_cross_entropy(stack(x), labels.expand(4, -1))
            each.sum().backward()
            adam.step()
        losses.append(each.detach())
    torch.testing.assert_close(*losses, rtol=1e-3, atol=1e-5)
    assert losses[0].max() < 0.2  # log 10 is where they start


@BOTH
def test_numbers_may_be_tensors_as_they_may_for_torch(fused: bool) -> None:
    ours, theirs = leaves(*SHAPES), leaves(*SHAPES)
    numbers = {"lr": torch.tensor(0.01), "betas": (torch.tensor(0.8), torch.tensor(0.9))}
    adam, torchs = Adam(ours, **numbers, fused=fused), torch.optim.Adam(theirs, **numbers)
    train(adam, ours, range(5))
    train(torchs, theirs, range(5))
    # torch takes powers of a beta that is a tensor in the tensor's own single precision.
    assert max(map(relative, ours, theirs)) < 1e-8
    with pytest.raises(ValueError, match="lr: expected a number"):
        Adam(leaves((3,)), lr=torch.tensor([0.001, 0.001]))
