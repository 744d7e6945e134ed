"""The exact gradient at the logits is exact where float32 and the clamp are not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal, localcontext

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from study.base.errors import BadInput
from study.measures.gradient_probe import exact_gradient, gradient_probe
from study.nn.losses import loss_of
from study.nn.targets import one_hot

RULES = ("jacobian", "identity", "autograd", "fused")
LOSSES = ("cross_entropy", "squared_error")


def probed(
    z: Sequence[Sequence[float]], labels: Sequence[int], loss: str, backward: str
) -> dict[str, float]:
    """Return the measure of a network that gives these logits in float32."""
    logits = torch.tensor(z)
    return gradient_probe(lambda images: images, logits, torch.tensor(labels), loss, backward)


def reference(z: Sequence[float], label: int, loss: str) -> list[Decimal]:
    """Return dL/dz of one example, to hundreds of digits."""
    with localcontext() as context:
        context.prec = 1_000
        exponentials = [Decimal(value).exp() for value in z]
        p = [each / sum(exponentials) for each in exponentials]
        difference = [each - (at == label) for at, each in enumerate(p)]
        if loss == "cross_entropy":
            return difference
        g = [2 * each for each in difference]
        mean = sum(a * b for a, b in zip(g, p, strict=True))
        return [a * (b - mean) for a, b in zip(p, g, strict=True)]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(-300, 300), min_size=2, max_size=5),
    st.integers(0, 4),
    st.sampled_from(LOSSES),
)
@example([0.0, 50.0, -20.0], 0, "squared_error")  # surely wrong
@example([0.0, 50.0, -20.0], 1, "squared_error")  # surely right
@example([0.0, 50.0, -20.0], 1, "cross_entropy")
def test_it_agrees_with_a_thousand_digits(z: list[float], label: int, loss: str) -> None:
    label %= len(z)
    found, _ = exact_gradient(torch.tensor([z], dtype=torch.float64), torch.tensor([label]), loss)
    expected = [float(value) for value in reference(z, label, loss)]
    largest = max(map(abs, expected))
    # Relative to the largest element, however small: errors must not be those of numbers near 1.
    assert found[0].tolist() == pytest.approx(expected, rel=1e-9, abs=1e-12 * largest + 1e-300)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("backward", ["jacobian", "autograd", "fused"])
def test_rules_with_the_jacobian_send_the_exact_gradient(loss: str, backward: str) -> None:
    z = torch.randn(100, 10, generator=torch.Generator().manual_seed(0)).mul(3).tolist()
    found = probed(z, [at % 10 for at in range(100)], loss, backward)
    assert found["exact_cosine"] == pytest.approx(1, abs=1e-6)
    assert found["norm"] == pytest.approx(found["exact_norm"], rel=1e-5)
    assert found["largest_g"] == pytest.approx(found["exact_largest_g"], rel=1e-5)
    assert found["zero_share"] == 0


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("backward", RULES)
def test_with_smoothed_labels_it_is_of_the_smoothed_loss(loss: str, backward: str) -> None:
    z = torch.randn(100, 10, generator=torch.Generator().manual_seed(0)).mul(3)
    labels, smoothing = torch.arange(100) % 10, 0.2
    p = torch.softmax(z.double(), -1)
    y = one_hot(labels, p, smoothing)
    g = (-y / p if loss == "cross_entropy" else 2 * (p - y)) / 100
    exact = p * (g - (g * p).sum(-1, keepdim=True))
    torch.testing.assert_close(exact_gradient(z.double(), labels, loss, smoothing)[0], exact)
    found = gradient_probe(lambda images: images, z, labels, loss, backward, smoothing)
    sent = g if backward == "identity" else exact
    cosine = (sent * exact).sum() / (sent.norm() * exact.norm())
    apart = (sent - exact).norm() / exact.norm()
    expected = [sent.norm(), exact.norm(), cosine, 0.0, g.abs().max(), g.abs().max(), apart]
    assert list(found.values()) == pytest.approx(
        [float(each) for each in expected], rel=1e-4, abs=1e-6
    )


def test_the_distance_is_between_vectors_not_between_norms() -> None:
    # p = (1/2, 1/2): autograd's gradient is (-1/2, 1/2), the identity rule's (-2, 0).
    found = probed([[0.0, 0.0]], [0], "cross_entropy", "identity")
    assert found["autograd_distance"] == pytest.approx(math.sqrt(1.5**2 + 0.5**2) / math.sqrt(0.5))
    # Squared error: autograd's is p * (g - <g, p>) = (-1/2, 1/2) for g = (-1, 1), identity's g.
    found = probed([[0.0, 0.0]], [0], "squared_error", "identity")
    assert found["exact_cosine"] == pytest.approx(1)
    assert found["autograd_distance"] == pytest.approx(1)
    found = probed([[0.0, 1.0]], [0], "cross_entropy", "jacobian")
    assert found["autograd_distance"] < 1e-6


def test_identity_sends_g_of_cross_entropy() -> None:
    found = probed([[0.0] * 10] * 100, [3] * 100, "cross_entropy", "identity")
    # At p = 1/10 each of 100 examples has g = -10/100 at its label, and exactly (p - y)/100.
    assert found["norm"] == pytest.approx(1.0, rel=1e-6)
    assert found["exact_norm"] == pytest.approx(0.1 * 0.9**0.5, rel=1e-6)
    assert found["exact_cosine"] == pytest.approx(0.9**0.5, rel=1e-6)
    assert found["largest_g"] == pytest.approx(0.1, rel=1e-6)
    assert found["exact_largest_g"] == pytest.approx(0.1, rel=1e-12)


def test_identity_sends_twice_cross_entropys_direction_for_squared_error() -> None:
    found = probed([[0.0, 1.0]], [0], "squared_error", "identity")
    p = 1 / (1 + math.exp(-1))
    assert found["norm"] == pytest.approx(2 * p * 2**0.5, rel=1e-6)
    # dL/dz = p_0 p_1 (g_0 - g_1) and its negative, with g = -2p and 2p.
    assert found["exact_norm"] == pytest.approx(4 * p * p * (1 - p) * 2**0.5, rel=1e-6)
    assert found["exact_cosine"] == pytest.approx(1, abs=1e-6)
    assert found["exact_largest_g"] == pytest.approx(2 * p, rel=1e-12)


def test_where_p_y_underflows_the_exact_gradient_is_p_minus_y() -> None:
    # At z_y = -200 float32 has p_y = 0: what identity sends, -y/tiny, points along y. The angle
    # to p - y = (-1, 1) is 45 degrees; through the clamped Jacobian it would be no number.
    tiny = torch.finfo(torch.float32).tiny
    found = probed([[-200.0, 0.0]], [0], "cross_entropy", "identity")
    assert found["exact_cosine"] == pytest.approx(0.5**0.5, rel=1e-12)
    assert found["exact_norm"] == pytest.approx(2**0.5, rel=1e-12)
    assert found["norm"] == pytest.approx(1 / tiny, rel=1e-6)
    assert found["largest_g"] == pytest.approx(1 / tiny, rel=1e-6)
    assert found["exact_largest_g"] == pytest.approx(math.exp(200), rel=1e-12)


def test_g_without_the_clamp_may_be_infinite() -> None:
    assert probed([[-800.0, 0.0]], [0], "cross_entropy", "fused")["exact_largest_g"] == math.inf


@pytest.mark.parametrize("backward", RULES)
def test_the_share_of_examples_that_get_exactly_zero(backward: str) -> None:
    # Surely wrong, as wrong as right, surely right, in float32.
    z = [[-200.0, 0.0], [0.0, 0.0], [200.0, 0.0], [0.0, 0.0]]
    found = probed(z, [0, 0, 0, 0], "cross_entropy", backward)
    expected = {"jacobian": 0.5, "autograd": 0.5, "identity": 0.0, "fused": 0.25}
    assert found["zero_share"] == expected[backward]


def test_a_gradient_of_zero_has_no_angle() -> None:
    found = probed([[-200.0, 0.0]], [0], "cross_entropy", "jacobian")
    assert math.isnan(found["exact_cosine"])
    assert found["norm"] == 0


def test_gradients_whose_squares_underflow_have_an_angle() -> None:
    z = torch.tensor([[0.0, -500.0]], dtype=torch.float64)

    def network(images: Tensor) -> Tensor:
        return z

    found = gradient_probe(network, z, torch.tensor([0]), "cross_entropy", "fused")
    # In float64 p_y - 1 rounds to 0, so what is sent is (0, p_1) and not (-p_1, p_1).
    assert found["exact_cosine"] == pytest.approx(0.5**0.5, rel=1e-12)


@pytest.mark.parametrize("loss", ["outside:chance", "outside:cubed_error"])
def test_the_exact_gradient_of_a_users_own_loss_is_autograds(loss: str) -> None:
    z = torch.tensor([[0.0, 1.0, 2.0], [3.0, -1.0, 0.5]], dtype=torch.float64)
    labels = torch.tensor([0, 2])
    leaf = z.clone().requires_grad_()
    loss_of(leaf, labels, loss, "autograd").backward()
    torch.testing.assert_close(exact_gradient(z, labels, loss)[0], leaf.grad)


def test_a_misspelt_loss_has_no_exact_gradient() -> None:
    with pytest.raises(BadInput, match=r"did you mean 'cross_entropy'\?"):
        exact_gradient(torch.zeros(1, 2, dtype=torch.float64), torch.tensor([0]), "crossentropy")
