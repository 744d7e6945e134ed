"""Losses: numbers small enough for paper, means over batches and runs, and the double softmax."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_cases import FUSED, LOSSES, RULES, Loss, batch, seeds, some
from torch.nn import functional

from study.nn.losses import LOSSES as TABLE
from study.nn.losses import (
    cross_entropy,
    fused_cross_entropy,
    fused_squared_error,
    loss_of,
    squared_error,
)
from study.nn.softmax import BACKWARDS
from study.nn.targets import one_hot

FLOOR = math.log(1 + 9 / math.e)


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


@pytest.mark.parametrize("e", [0.1, 0.75])
@pytest.mark.parametrize("backward", RULES)
def test_smoothed_cross_entropy_is_torchs(backward: str, e: float) -> None:
    z, labels = batch(5, 4)
    expected = functional.cross_entropy(z, labels, label_smoothing=e)
    torch.testing.assert_close(loss_of(z, labels, "cross_entropy", backward, e), expected)


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


def test_the_tables_hold_the_names_that_tests_go_through() -> None:
    assert sorted(TABLE) == sorted(LOSSES)
    assert sorted(BACKWARDS) == sorted(RULES)
