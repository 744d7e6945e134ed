"""Softmax: every backward rule against closed forms, finite differences and PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError

from study.nn.losses import cross_entropy
from study.nn.softmax import BACKWARDS as RULES
from study.nn.softmax import BackwardRule, softmax, softmax_jacobian, through_jacobian

SHAPES = [(5,), (1, 3), (3, 4), (2, 3, 4)]
TRUE_RULES = ["jacobian", "autograd"]
BACKWARDS = [name for name, rule in RULES.items() if not rule.fused]

some = settings(max_examples=40, deadline=None, derandomize=True)


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return random numbers of one seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def to_logits(z: Tensor, g: Tensor, backward: str) -> Tensor:
    """Return what a rule sends to the logits when ``g`` arrives at the probabilities."""
    z = z.detach().requires_grad_()
    return torch.autograd.grad(softmax(z, backward), z, g)[0]


@pytest.mark.parametrize("backward", BACKWARDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_forward_has_the_bits_of_torchs_softmax(shape: tuple[int, ...], backward: str) -> None:
    z = normal(*shape)
    assert torch.equal(softmax(z, backward), torch.softmax(z, -1))


@pytest.mark.parametrize("backward", TRUE_RULES)
@pytest.mark.parametrize("shape", SHAPES)
def test_true_rules_pass_gradcheck_and_gradgradcheck(shape: tuple[int, ...], backward: str) -> None:
    z = normal(*shape).requires_grad_()
    g = normal(*shape, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: softmax(z, backward), z)
    assert torch.autograd.gradgradcheck(lambda z: softmax(z, backward), z, g)


@pytest.mark.parametrize("fast", [True, False])
def test_identity_fails_gradcheck_as_it_must(fast: bool) -> None:
    z = normal(3, 4).requires_grad_()
    with pytest.raises(GradcheckError, match="Jacobian"):
        torch.autograd.gradcheck(lambda z: softmax(z, "identity"), z, fast_mode=fast)


@pytest.mark.parametrize("shape", SHAPES)
def test_identity_sends_the_upstream_gradient_itself(shape: tuple[int, ...]) -> None:
    g = normal(*shape, seed=1)
    assert torch.equal(to_logits(normal(*shape), g, "identity"), g)


shapes = st.lists(st.integers(1, 5), min_size=1, max_size=4)
seeds = st.integers(0, 2**32 - 1)


@some
@given(shape=shapes, seed=seeds, scale=st.floats(0.01, 100))
def test_jacobian_rule_is_the_jacobian_times_the_upstream_gradient(
    shape: list[int], seed: int, scale: float
) -> None:
    z, g = scale * normal(*shape, seed=seed), normal(*shape, seed=seed + 1)
    sent = to_logits(z, g, "jacobian")
    jacobian = softmax_jacobian(torch.softmax(z, -1))
    # Rounding of sums of at most five products of numbers around 1.
    near = {"rtol": 1e-12, "atol": 1e-14}
    torch.testing.assert_close(sent, (jacobian @ g.unsqueeze(-1)).squeeze(-1), **near)
    torch.testing.assert_close(sent, to_logits(z, g, "autograd"), **near)
    # Adding a constant to all logits changes no probability, so the gradient has no such part.
    torch.testing.assert_close(sent.sum(-1), torch.zeros(shape[:-1], dtype=z.dtype), **near)


@some
@given(classes=st.integers(1, 8), seed=seeds)
def test_softmax_jacobian_is_autograds_jacobian(classes: int, seed: int) -> None:
    z = normal(classes, seed=seed)
    expected = torch.autograd.functional.jacobian(lambda z: torch.softmax(z, -1), z)
    found = softmax_jacobian(torch.softmax(z, -1))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-15)
    assert torch.equal(found, found.mT)


def test_softmax_jacobian_of_many_rows_is_one_matrix_a_row() -> None:
    p = torch.softmax(normal(2, 3, 4), -1)
    found = softmax_jacobian(p)
    assert found.shape == (2, 3, 4, 4)
    for i in range(2):
        for j in range(3):
            assert torch.equal(found[i, j], softmax_jacobian(p[i, j]))


def test_softmax_jacobian_by_hand() -> None:
    p = torch.tensor([0.5, 0.25, 0.25])
    # delta_ik p_i - p_i p_k; all numbers are exact in binary.
    expected = [[0.25, -0.125, -0.125], [-0.125, 0.1875, -0.0625], [-0.125, -0.0625, 0.1875]]
    assert softmax_jacobian(p).tolist() == expected
    assert through_jacobian(torch.tensor([4.0, 0.0, 8.0]), p).tolist() == [0.0, -1.0, 1.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("backward", BACKWARDS)
def test_logits_of_ten_thousand_give_finite_values_and_gradients(
    backward: str, dtype: torch.dtype
) -> None:
    z = 1e4 * torch.tensor(
        [[1, -1, 0], [1, 1, 1], [-1, -1, -1], [1, 1, -1], [0, 0, -1]], dtype=dtype
    )
    p = softmax(z, backward)
    expected = torch.tensor(
        [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0], [0.5, 0.5, 0]]
    )
    torch.testing.assert_close(p, expected.to(dtype))
    g = normal(5, 3, dtype=dtype)
    sent = to_logits(z, g, backward)
    assert sent.isfinite().all()
    if backward in TRUE_RULES:
        assert torch.equal(sent[0], torch.zeros(3, dtype=dtype))  # a certain row sends nothing


@pytest.mark.parametrize("backward", TRUE_RULES)
def test_double_backward_is_torchs(backward: str) -> None:
    g, v = normal(3, 4, seed=1), normal(3, 4, seed=2)

    def second(soft: Callable[[Tensor], Tensor]) -> tuple[Tensor, ...]:
        z, upstream = normal(3, 4).requires_grad_(), g.clone().requires_grad_()
        p = soft(z)
        (first,) = torch.autograd.grad(p, z, upstream, create_graph=True)
        return torch.autograd.grad(first, (z, upstream), v)

    ours = second(lambda z: softmax(z, backward))
    torchs = second(lambda z: torch.softmax(z, -1))
    torch.testing.assert_close(ours, torchs, rtol=1e-12, atol=1e-14)


def test_double_backward_of_identity_goes_to_the_upstream_gradient_alone() -> None:
    z, g = normal(3, 4).requires_grad_(), normal(3, 4, seed=1).requires_grad_()
    v = normal(3, 4, seed=2)
    (first,) = torch.autograd.grad(softmax(z, "identity"), z, g, create_graph=True)
    to_z, to_g = torch.autograd.grad(first, (z, g), v, allow_unused=True)
    assert to_z is None
    assert torch.equal(to_g, v)


@pytest.mark.parametrize("backward", BACKWARDS)
def test_per_example_gradients_by_vmap_and_grad_are_those_of_a_loop(backward: str) -> None:
    z, labels = normal(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])

    def loss(row: Tensor, label: Tensor) -> Tensor:
        return cross_entropy(softmax(row, backward).unsqueeze(0), label.unsqueeze(0))

    found = torch.func.vmap(torch.func.grad(loss))(z, labels)
    for row, label, each in zip(z, labels, found, strict=True):
        leaf = row.clone().requires_grad_()
        loss(leaf, label).backward()
        torch.testing.assert_close(each, leaf.grad, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("backward", BACKWARDS)
def test_vmap_over_any_dimension_is_softmax_of_each_slice(backward: str) -> None:
    z = normal(3, 5, 4)
    found = torch.func.vmap(lambda part: softmax(part, backward), in_dims=1, out_dims=1)(z)
    torch.testing.assert_close(found, torch.softmax(z, -1), rtol=1e-14, atol=0)


@pytest.mark.parametrize("backward", BACKWARDS)
def test_jacrev_gives_each_rules_own_jacobian(backward: str) -> None:
    z = normal(4)
    found = torch.func.jacrev(lambda z: softmax(z, backward))(z)
    p = torch.softmax(z, -1)
    expected = softmax_jacobian(p)
    if backward not in TRUE_RULES:  # identity, or g with its 1/p bounded
        floor = float(backward.partition("_")[2] or 0)
        expected = torch.diag(p / p.clamp_min(floor))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-15)


def test_hessian_by_torch_func_is_torchs() -> None:
    z, w = normal(4), normal(4, seed=1)
    ours = torch.func.jacrev(torch.func.grad(lambda z: (softmax(z) * w).sum()))(z)
    torchs = torch.func.jacrev(torch.func.grad(lambda z: (torch.softmax(z, -1) * w).sum()))(z)
    torch.testing.assert_close(ours, torchs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("backward", BACKWARDS)
def test_bfloat16_autocast_trains_float32_weights(backward: str) -> None:
    x, labels = normal(8, 6, dtype=torch.float32), torch.arange(8) % 3
    weight = normal(3, 6, seed=1, dtype=torch.float32)

    def gradient(enabled: bool) -> Tensor:
        leaf = weight.clone().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            z = x @ leaf.T
            assert z.dtype == (torch.bfloat16 if enabled else torch.float32)
            loss = cross_entropy(softmax(z, backward).float(), labels)
        loss.backward()
        assert leaf.grad is not None
        return leaf.grad

    mixed, full = gradient(True), gradient(False)
    assert mixed.dtype == torch.float32
    # bfloat16 keeps 8 bits: logits around 4 are off by up to 0.016, probabilities by as much
    # relative to themselves, the sums over 8 examples by somewhat less.
    assert (mixed - full).abs().max() < 0.03 * full.abs().max()


@pytest.mark.parametrize("backward", BACKWARDS)
def test_half_precision_logits_get_half_precision_gradients(backward: str) -> None:
    z = normal(3, 4).to(torch.bfloat16)
    sent = to_logits(z, torch.ones_like(z), backward)
    assert sent.dtype == torch.bfloat16
    assert sent.isfinite().all()


def test_fused_is_refused_with_the_way_to_do_it() -> None:
    with pytest.raises(ValueError, match=r"'fused' has no softmax.*fused_cross_entropy"):
        softmax(torch.zeros(3), "fused")


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [("jacobain", "jacobian"), ("Identity", "identity"), ("auto_grad", "autograd")],
)
def test_a_misspelt_rule_is_refused_with_the_nearest_one(misspelt: str, meant: str) -> None:
    with pytest.raises(ValueError, match=rf"found '{misspelt}'; did you mean '{meant}'"):
        softmax(torch.zeros(3), misspelt)


def test_a_rule_that_resembles_none_is_refused_with_all_of_them() -> None:
    with pytest.raises(ValueError, match=r"expected one of jacobian, identity, clamped_0.01"):
        softmax(torch.zeros(3), "")


# Rules from elsewhere


def test_a_rule_from_outside_needs_no_more_than_what_it_sends_to_the_logits() -> None:
    z, g = normal(3, 4), normal(3, 4, seed=1)
    p = torch.softmax(z, -1)
    assert torch.equal(softmax(z, "outside:scaled"), p)
    assert torch.equal(to_logits(z, g, "outside:scaled"), g * p)
    found = torch.func.vmap(torch.func.jacrev(lambda z: softmax(z, "outside:scaled")))(z)
    torch.testing.assert_close(found, torch.diag_embed(p))


def test_a_rule_may_have_a_softmax_of_its_own() -> None:
    z = normal(3, 4)
    rule = BackwardRule(through_jacobian, softmax=lambda z: z.exp() / z.exp().sum(-1, True))
    torch.testing.assert_close(rule(z), torch.softmax(z, -1))
