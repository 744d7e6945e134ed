"""Gradients of losses: closed forms, autograd, and probabilities too small for their type."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_cases import CLAMPED, LOSSES, RULES, batch, by_autograd, seeds, some
from torch import Tensor

from study.nn.losses import (
    cross_entropy,
    gradient_at_logits,
    gradient_at_probabilities,
    loss_of,
)
from study.nn.softmax import probabilities
from study.nn.targets import one_hot

SKIP = ["identity", *CLAMPED]


def skipped(g: Tensor, p: Tensor, backward: str) -> Tensor:
    """Return what a rule without the Jacobian sends: g, or g with its 1/p bounded."""
    floor = float(backward.partition("_")[2] or 0)
    return g * p / p.clamp_min(floor)


# Gradients


@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 3)])
def test_gradients_have_their_closed_forms(shape: tuple[int, ...]) -> None:
    z, labels = batch(*shape)
    p, y, size = torch.softmax(z, -1), one_hot(labels, z), shape[-2]
    g = 2 * (p - y) / size
    expected = {
        ("cross_entropy", "jacobian"): (p - y) / size,
        ("cross_entropy", "autograd"): (p - y) / size,
        ("cross_entropy", "fused"): (p - y) / size,
        ("cross_entropy", "identity"): -y / p / size,
        ("squared_error", "jacobian"): p * (g - (g * p).sum(-1, keepdim=True)),
        ("squared_error", "autograd"): p * (g - (g * p).sum(-1, keepdim=True)),
        ("squared_error", "fused"): p * (g - (g * p).sum(-1, keepdim=True)),
        ("squared_error", "identity"): g,
    }
    for (loss, backward), gradient in expected.items():
        found = gradient_at_logits(probabilities(z), labels, loss, backward)
        torch.testing.assert_close(found, gradient, rtol=1e-12, atol=1e-15)


def test_cross_entropy_with_identity_sends_nothing_to_the_wrong_classes_and_never_vanishes() -> (
    None
):
    z, labels = batch(50, 10)
    sent = gradient_at_logits(probabilities(z), labels, "cross_entropy", "identity")
    right = one_hot(labels, z).bool()
    assert (sent[~right] == 0).all()
    assert (sent[right] <= -1 / 50).all()  # p <= 1, so -1/(p B) is at most -1/B


@pytest.mark.parametrize("backward", CLAMPED)
def test_a_clamped_rule_sends_minus_y_over_p_bounded(backward: str) -> None:
    floor = float(backward.partition("_")[2])
    z, labels = batch(50, 10, dtype=torch.float32)
    z[0] = torch.arange(10) * -100.0  # p underflows
    labels[0] = 9
    p = probabilities(z)
    expected = -one_hot(labels, z) / p.clamp_min(floor) / 50
    sent = gradient_at_logits(p, labels, "cross_entropy", backward)
    torch.testing.assert_close(sent, expected)
    assert sent.abs().max() == pytest.approx(1 / floor / 50)


def test_squared_error_with_identity_is_twice_cross_entropy_through_the_jacobian() -> None:
    z, labels = batch(6, 4)
    identity = gradient_at_logits(probabilities(z), labels, "squared_error", "identity")
    jacobian = gradient_at_logits(probabilities(z), labels, "cross_entropy", "jacobian")
    torch.testing.assert_close(identity, 2 * jacobian, rtol=1e-12, atol=1e-15)


def test_only_squared_error_through_the_jacobian_vanishes_on_confidently_wrong_examples() -> None:
    z, labels = torch.tensor([[20.0, 0.0]], dtype=torch.float64), torch.tensor([1])

    def largest(loss: str, backward: str) -> float:
        return gradient_at_logits(probabilities(z), labels, loss, backward).abs().max().item()

    # p = (1 - q, q) with q = exp(-20) = 2e-9: J g = 4 q to first order.
    assert largest("squared_error", "jacobian") == pytest.approx(4 * math.exp(-20), rel=1e-6)
    assert largest("squared_error", "identity") == pytest.approx(2, rel=1e-6)
    assert largest("cross_entropy", "jacobian") == pytest.approx(1, rel=1e-6)
    assert largest("cross_entropy", "identity") == pytest.approx(math.exp(20), rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("backward", RULES)
@some
@given(
    seed=seeds,
    shape=st.tuples(st.integers(1, 5), st.integers(2, 6)),
    runs=st.none() | st.integers(1, 3),
    scale=st.floats(0, 30),
)
def test_gradients_by_hand_are_those_of_autograd(
    loss: str, backward: str, seed: int, shape: tuple[int, int], runs: int | None, scale: float
) -> None:
    z, labels = batch(*(() if runs is None else (runs,)), *shape, seed=seed)
    gradient = gradient_at_logits(probabilities(scale * z), labels, loss, backward)
    _, expected = by_autograd(scale * z, labels, loss, backward)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-14)


# Probabilities too small for their type


@pytest.mark.parametrize("gap", [80.0, 90.0, 95.0, 103.0, 120.0, 1e4])
@pytest.mark.parametrize("backward", ["jacobian", "identity", "autograd"])
def test_underflowing_probabilities_leave_loss_and_gradient_finite_and_equal(
    gap: float, backward: str
) -> None:
    # exp(-gap) is normal, subnormal, and zero in float32, in turn.
    z = torch.tensor([[gap, 0.0, -1.0], [0.0, 1.0, gap]])
    labels = torch.tensor([1, 0])
    gradient = gradient_at_logits(probabilities(z), labels, "cross_entropy", backward)
    value, sent = by_autograd(z, labels, "cross_entropy", backward)
    assert value.item() == pytest.approx(min(gap, 87.3365), rel=0.02)
    assert value.item() <= 87.34
    assert gradient.isfinite().all()
    # The two divide by the batch size and by p in another order.
    torch.testing.assert_close(gradient, sent, rtol=1e-6, atol=0)
    if backward == "identity":
        assert (gradient[torch.arange(2), labels] < -1e34).all()


def test_a_probability_of_zero_counts_as_the_smallest_normal_number() -> None:
    z, label = torch.tensor([[200.0, 0.0]]), torch.tensor([1])
    assert torch.softmax(z, -1)[0, 1] == 0
    tiny = torch.finfo(torch.float32).tiny
    gradient = gradient_at_logits(probabilities(z), label, "cross_entropy", "identity")
    value = loss_of(z, label, "cross_entropy", "identity")
    assert value.item() == pytest.approx(-math.log(tiny), rel=1e-7)
    assert gradient.tolist() == [[0, -1 / tiny]]
    sent = gradient_at_logits(probabilities(z), label, "cross_entropy", "fused")
    assert sent.tolist() == [[1, -1]]  # without probabilities in between nothing is lost
    assert loss_of(z, label, "cross_entropy", "fused").item() == 200


def test_gradient_of_cross_entropy_is_minus_one_over_p_down_to_the_smallest_normal_number() -> None:
    for chosen in (0.5, 1e-10, 1e-37):
        p = torch.tensor([[chosen, 1 - chosen]], requires_grad=True)
        cross_entropy(p, torch.tensor([0])).backward()
        assert p.grad is not None
        assert p.grad[0].tolist() == pytest.approx([-1 / chosen, 0], rel=1e-6)


@pytest.mark.parametrize("backward", RULES)
def test_a_loss_from_outside_needs_no_more_than_its_value(backward: str) -> None:
    # 1 - p_y, of which g is -1 at the label's place.
    z, labels = batch(2, 4, 3)
    p, y = probabilities(z), one_hot(labels, z)
    value, sent = by_autograd(z, labels, "outside:chance", backward)
    torch.testing.assert_close(value, 1 - (p * y).sum(-1).mean(-1))
    torch.testing.assert_close(gradient_at_probabilities(p, labels, "outside:chance"), -y / 4)
    torch.testing.assert_close(gradient_at_logits(p, labels, "outside:chance", backward), sent)
    expected = p * ((y * p).sum(-1, keepdim=True) - y) / 4
    if backward in SKIP:
        expected = skipped(-y / 4, p, backward)
    torch.testing.assert_close(sent, expected)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("backward", RULES)
def test_smoothing_takes_a_share_of_all_classes_in_place_of_the_label(
    loss: str, backward: str
) -> None:
    z, labels = batch(3, 5, 4)
    p, y = probabilities(z), 0.7 * one_hot(labels, z) + 0.3 / 4
    g = -y / p if loss == "cross_entropy" else 2 * (p - y)
    sent = skipped(g, p, backward) if backward in SKIP else p * (g - (g * p).sum(-1, keepdim=True))
    exact = {"rtol": 1e-12, "atol": 1e-15}
    found = gradient_at_logits(p, labels, loss, backward, 0.3)
    torch.testing.assert_close(found, sent / 5, **exact)
    torch.testing.assert_close(gradient_at_probabilities(p, labels, loss, 0.3), g / 5, **exact)
    leaf = z.clone().requires_grad_()
    value = loss_of(leaf, labels, loss, backward, 0.3)
    torch.testing.assert_close(torch.autograd.grad(value.sum(), leaf)[0], sent / 5, **exact)
    each = -y * p.log() if loss == "cross_entropy" else (p - y) ** 2
    torch.testing.assert_close(value.detach(), each.sum((-1, -2)) / 5, **exact)


@pytest.mark.parametrize("backward", RULES)
def test_smoothed_cross_entropy_of_probabilities_that_underflow_is_finite(backward: str) -> None:
    z, labels = torch.tensor([[0.0, 300.0, -300.0]]), torch.tensor([0])
    value, sent = loss_of(z, labels, "cross_entropy", backward, 0.3), probabilities(z)
    assert bool(value.isfinite())
    assert bool(gradient_at_logits(sent, labels, "cross_entropy", backward, 0.3).isfinite().all())
