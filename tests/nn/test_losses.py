"""Losses: numbers small enough for paper, closed forms of gradients, and refusals."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jaxtyping
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from study.base.errors import BadInput
from study.nn.losses import LOSSES as TABLE
from study.nn.losses import (
    cross_entropy,
    exact_metrics,
    fused_cross_entropy,
    fused_squared_error,
    gradient_at_logits,
    gradient_at_probabilities,
    loss_of,
    one_hot,
    squared_error,
)
from study.nn.softmax import BACKWARDS, probabilities

Loss = Callable[[Tensor, Tensor], Tensor]

LOSSES = ["cross_entropy", "squared_error"]
RULES = ["jacobian", "identity", "autograd", "fused"]
FUSED = [fused_cross_entropy, fused_squared_error]
FLOOR = math.log(1 + 9 / math.e)

some = settings(max_examples=40, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def batch(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Return random logits of a shape, and labels."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(*shape, generator=generator, dtype=dtype)
    return z, torch.randint(shape[-1], shape[:-1], generator=generator)


def by_autograd(z: Tensor, labels: Tensor, loss: str, backward: str) -> tuple[Tensor, Tensor]:
    """Return each run's loss, and what autograd sends to the logits."""
    z = z.detach().requires_grad_()
    value = loss_of(z, labels, loss, backward)
    return value.detach(), torch.autograd.grad(value.sum(), z)[0]


def test_floor_is_the_number_in_the_documents() -> None:
    assert round(FLOOR, 4) == 1.4612


def test_one_hot_has_a_single_one_a_row() -> None:
    rows = one_hot(torch.tensor([[2, 0]]), torch.empty(1, 2, 3))
    assert rows.tolist() == [[[0, 0, 1], [1, 0, 0]]]


def test_cross_entropy_by_hand() -> None:
    p = torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]], dtype=torch.float64)
    found = cross_entropy(p, torch.tensor([0, 1]))
    # (log 2 + log 4) / 2
    assert found.item() == pytest.approx(1.5 * math.log(2), rel=1e-15)


def test_squared_error_by_hand() -> None:
    p = torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]])
    # (1/4 + 1/16 + 1/16 + 1/16 + 9/16 + 1/4) / 2, summed over classes, a mean over the batch
    assert squared_error(p, torch.tensor([0, 1])).item() == 0.625


def test_fused_losses_by_hand() -> None:
    z = torch.tensor([[0.0, math.log(3)]], dtype=torch.float64)  # p = (1/4, 3/4)
    label = torch.tensor([0])
    assert fused_cross_entropy(z, label).item() == pytest.approx(math.log(4), rel=1e-15)
    assert fused_squared_error(z, label).item() == pytest.approx(2 * 9 / 16, rel=1e-15)


def test_fused_cross_entropy_is_torchs() -> None:
    z, labels = batch(5, 4)
    torch.testing.assert_close(fused_cross_entropy(z, labels), functional.cross_entropy(z, labels))


@pytest.mark.parametrize("loss", [cross_entropy, squared_error, *FUSED])
def test_a_leading_run_dimension_gives_each_run_its_own_loss(loss: Loss) -> None:
    z, labels = batch(3, 5, 4)
    given_ = z if loss in FUSED else torch.softmax(z, -1)
    found = loss(given_, labels)
    assert found.shape == (3,)
    each = [loss(given_[run], labels[run]) for run in range(3)]
    torch.testing.assert_close(found, torch.stack(each), rtol=1e-14, atol=0)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("backward", RULES)
def test_a_loss_is_the_mean_over_its_batch(loss: str, backward: str) -> None:
    z, labels = batch(4, 3)
    each = torch.stack([loss_of(z[i : i + 1], labels[i : i + 1], loss, backward) for i in range(4)])
    torch.testing.assert_close(loss_of(z, labels, loss, backward), each.mean())


@pytest.mark.parametrize("loss", LOSSES)
def test_every_rule_has_the_same_loss(loss: str) -> None:
    z, labels = batch(2, 4, 3)
    values = [loss_of(z, labels, loss, backward) for backward in RULES]
    for value in values[1:]:
        torch.testing.assert_close(value, values[0], rtol=1e-14, atol=0)


@pytest.mark.parametrize("loss", [cross_entropy, squared_error])
def test_losses_on_probabilities_pass_gradcheck(loss: Loss) -> None:
    z, labels = batch(2, 3, 4)
    p = torch.softmax(z, -1).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: loss(p, labels), p)


def test_exact_metrics_are_each_examples_losses() -> None:
    z, labels = batch(6, 4)
    each_cross_entropy, each_squared_error = exact_metrics(z, labels)
    for i in range(6):
        one = z[i : i + 1], labels[i : i + 1]
        assert each_cross_entropy[i].item() == pytest.approx(fused_cross_entropy(*one).item())
        assert each_squared_error[i].item() == pytest.approx(fused_squared_error(*one).item())


# Double softmax


@pytest.mark.parametrize("loss", FUSED)
@pytest.mark.parametrize("shape", [(1, 2), (7, 10), (3, 7, 10)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_probabilities_are_refused_by_the_fused_losses(
    loss: Loss, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    z, labels = batch(*shape, dtype=dtype)
    for p in (torch.softmax(z, -1), torch.softmax(1e4 * z, -1), one_hot(labels, z)):
        with pytest.raises(ValueError, match="expected logits, found probabilities"):
            loss(p, labels)


@pytest.mark.parametrize("loss", FUSED)
def test_logits_that_merely_resemble_probabilities_are_taken(loss: Loss) -> None:
    z, labels = batch(7, 10)
    p = torch.softmax(z, -1)
    one_row_off = torch.cat([p[:-1], 2 * p[-1:]])
    sums_to_one_with_a_negative = p + torch.tensor([0.5, -0.5] * 5)
    for logits in (z.abs(), p + 0.01, 1.01 * p, one_row_off, sums_to_one_with_a_negative, 0 * p):
        assert loss(logits, labels).isfinite()


# torch's own note that one of its operations is slow here.
@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("loss", FUSED)
def test_fused_losses_work_under_vmap_where_no_value_can_be_looked_at(loss: Loss) -> None:
    z, labels = batch(3, 5, 4)
    found = torch.func.vmap(torch.func.grad(loss))(z, labels)
    for run in range(3):
        leaf = z[run].clone().requires_grad_()
        loss(leaf, labels[run]).backward()
        torch.testing.assert_close(found[run], leaf.grad)


@some
@given(seed=seeds, sharpness=st.floats(0, 1e4))
def test_double_softmax_cannot_go_below_its_floor(seed: int, sharpness: float) -> None:
    z, labels = batch(20, 10, seed=seed)
    p = torch.softmax(sharpness * z, -1)
    assert functional.cross_entropy(p, labels).item() >= FLOOR - 1e-12


def test_double_softmax_reaches_its_floor_on_perfect_predictions_alone() -> None:
    z, labels = batch(20, 10)
    y = one_hot(labels, z)
    nearly = torch.softmax(30 * y, -1)
    assert cross_entropy(nearly, labels).item() < 1e-11
    assert functional.cross_entropy(y, labels).item() == pytest.approx(FLOOR, rel=1e-14)
    assert functional.cross_entropy(nearly, labels).item() == pytest.approx(FLOOR, rel=1e-11)


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


# Labels that are none


@pytest.fixture
def unchecked() -> Any:
    """Switch the tests' own check of signatures off: users have none."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


ON_LOGITS: dict[str, Loss] = {
    "cross_entropy": lambda z, labels: cross_entropy(torch.softmax(z, -1), labels),
    "squared_error": lambda z, labels: squared_error(torch.softmax(z, -1), labels),
    "fused_cross_entropy": fused_cross_entropy,
    "fused_squared_error": fused_squared_error,
    "exact_metrics": lambda z, labels: exact_metrics(z, labels)[0],
    **{
        f"loss_of {loss} {backward}": (
            lambda z, labels, loss=loss, backward=backward: loss_of(z, labels, loss, backward)
        )
        for loss in LOSSES
        for backward in RULES
    },
    **{
        f"gradient at logits of {loss}": (
            lambda z, labels, loss=loss: gradient_at_logits(z, labels, loss, "identity")
        )
        for loss in LOSSES
    },
    **{
        f"gradient at probabilities of {loss}": (
            lambda z, labels, loss=loss: gradient_at_probabilities(z, labels, loss)
        )
        for loss in LOSSES
    },
}
BAD_LABELS = {
    "too few": ([0, 1, 2], r"one for each row, of shape \[4\], found \[3\]"),
    "too many": ([0, 1, 2, 0, 1], r"of shape \[4\], found \[5\]"),
    "one": ([1], r"of shape \[4\], found \[1\]"),
    "none": ([], r"of shape \[4\], found \[0\]"),
    "a column": ([[0], [1], [2], [0]], r"of shape \[4\], found \[4, 1\]"),
    "floats": ([0.0, 1.0, 2.0, 0.0], "whole numbers, found 'torch.float32'"),
    "truth values": ([True, False, True, True], "whole numbers, found 'torch.bool'"),
    "below 0": ([0, -1, 2, 0], "numbers from 0 to 2, found -1"),
    "torch's number for no label": ([0, -100, 2, 0], "numbers from 0 to 2, found -100"),
    "K": ([0, 1, 3, 0], "numbers from 0 to 2, found 3"),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ON_LOGITS)
@pytest.mark.parametrize(("bad", "complaint"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_labels_that_are_none_are_refused(name: str, bad: list[Any], complaint: str) -> None:
    z, _ = batch(4, 3)
    labels = torch.tensor(bad) if bad else torch.zeros(0, dtype=torch.int64)
    with pytest.raises(BadInput, match=f"^labels: expected .*{complaint}"):
        ON_LOGITS[name](z, labels)


@pytest.mark.parametrize(("bad", "_"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_torch_refuses_those_labels_too_or_takes_them_for_no_labels(bad: list[Any], _: str) -> None:
    z, _ = batch(4, 3)
    labels = torch.tensor(bad) if bad else torch.zeros(0, dtype=torch.int64)
    if -100 in bad:
        assert functional.cross_entropy(z, labels, reduction="none")[1] == 0
        return
    with pytest.raises((ValueError, IndexError, RuntimeError)):
        functional.cross_entropy(z, labels)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ON_LOGITS)
def test_labels_of_each_run_are_one_for_each_of_its_rows(name: str) -> None:
    z, labels = batch(2, 4, 3)
    assert ON_LOGITS[name](z, labels).shape[0] == 2
    for bad in (labels[0], labels[:1], labels.mT, labels[:, :3]):
        with pytest.raises(
            BadInput, match=r"^labels: expected one for each row, of shape \[2, 4\]"
        ):
            ON_LOGITS[name](z, bad)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("name", [name for name in ON_LOGITS if "gradient" not in name])
def test_losses_work_under_vmap_and_jacrev_where_labels_cannot_be_looked_at(name: str) -> None:
    z, labels = batch(2, 5, 4)
    loss = ON_LOGITS[name]
    mapped = torch.func.vmap(loss)(z, labels)
    slopes = torch.func.vmap(torch.func.jacrev(loss))(z, labels)
    for run in range(2):
        torch.testing.assert_close(mapped[run], loss(z[run], labels[run]))
        expected = torch.autograd.functional.jacobian(
            lambda z, run=run: loss(z, labels[run]), z[run]
        )
        torch.testing.assert_close(slopes[run], expected)


COMPILED = """
import torch
from study.nn import losses
from study.nn.losses import LOSSES, loss_of
from study.nn.softmax import BACKWARDS

def compared(loss, z, labels):
    torch.compiler.reset()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    found = []
    for function in (loss, compiled):
        leaf = z.clone().requires_grad_()
        value = function(leaf, labels)
        found.append((value, *torch.autograd.grad(value, leaf)))
    torch.testing.assert_close(*found)

z, labels = torch.linspace(-2, 2, 20).view(5, 4), torch.arange(5) % 4
for name in ("fused_cross_entropy", "fused_squared_error"):
    compared(getattr(losses, name), z, labels)
for name in ("cross_entropy", "squared_error"):
    compared(getattr(losses, name), z.softmax(-1), labels)
for loss in LOSSES:
    for backward in BACKWARDS:
        compared(lambda z, labels: loss_of(z, labels, loss, backward), z, labels)
print("compared")
"""


@pytest.mark.slow
def test_losses_are_compiled_as_a_whole() -> None:
    # In a process without the check of signatures, which cannot be traced.
    done = subprocess.run(
        [sys.executable, "-c", COMPILED], capture_output=True, text=True, check=False
    )
    assert done.stdout == "compared\n", done.stderr


# Names, and losses from elsewhere


@pytest.mark.parametrize(
    ("loss", "backward", "complaint"),
    [
        ("crossentropy", "jacobian", "loss: .*'crossentropy'; did you mean 'cross_entropy'?"),
        ("squared_eror", "fused", "loss: .*'squared_eror'; did you mean 'squared_error'?"),
        ("cross_entropy", "jacobain", "backward: .*'jacobain'; did you mean 'jacobian'?"),
        ("squared_error", "fuse", "backward: .*'fuse'; did you mean 'fused'?"),
        ("mse", "fused", "loss: expected one of cross_entropy, squared_error, .*found 'mse'"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_nearest(
    loss: str, backward: str, complaint: str
) -> None:
    z, labels = batch(4, 3)
    for function in (loss_of, gradient_at_logits):
        with pytest.raises(BadInput, match=f"^{complaint}"):
            function(z, labels, loss, backward)
    if complaint.startswith("loss"):
        with pytest.raises(BadInput, match=f"^{complaint}"):
            gradient_at_probabilities(z, labels, loss)


def test_the_tables_hold_the_names_that_tests_go_through() -> None:
    assert sorted(TABLE) == sorted(LOSSES)
    assert sorted(BACKWARDS) == sorted(RULES)


@pytest.mark.parametrize("backward", RULES)
def test_a_loss_from_outside_needs_no_more_than_its_value(backward: str) -> None:
    # 1 - p_y, of which g is -1 at the label's place.
    z, labels = batch(2, 4, 3)
    p, y = probabilities(z), one_hot(labels, z)
    value, sent = by_autograd(z, labels, "outside:chance", backward)
    torch.testing.assert_close(value, 1 - (p * y).sum(-1).mean(-1))
    torch.testing.assert_close(gradient_at_probabilities(p, labels, "outside:chance"), -y / 4)
    torch.testing.assert_close(gradient_at_logits(p, labels, "outside:chance", backward), sent)
    expected = -y / 4 if backward == "identity" else p * ((y * p).sum(-1, keepdim=True) - y) / 4
    torch.testing.assert_close(sent, expected)
