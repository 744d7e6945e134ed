"""Metrics have the values that can be computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from study import BadInput
from study.measures.metrics import accuracies_under_noise, metrics
from study.nn.losses import fused_cross_entropy, fused_squared_error


def test_losses_and_accuracy_by_hand() -> None:
    z = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0], [0.0, math.log(3.0)]])
    found = metrics(z, torch.tensor([0, 0, 0]))
    assert found["cross_entropy"] == pytest.approx(
        (math.log(4 / 3) + math.log(2) + math.log(4)) / 3, rel=1e-6
    )
    assert found["squared_error"] == pytest.approx((2 / 16 + 2 / 4 + 2 * 9 / 16) / 3, rel=1e-6)
    assert found["accuracy"] == 2 / 3


def test_losses_are_those_that_are_trained_on() -> None:
    generator = torch.Generator().manual_seed(1)
    z = 3 * torch.randn(6, 4, generator=generator, dtype=torch.float64)
    labels = torch.randint(4, (6,), generator=generator)
    found = metrics(z, labels)
    assert found["cross_entropy"] == pytest.approx(fused_cross_entropy(z, labels).item())
    assert found["squared_error"] == pytest.approx(fused_squared_error(z, labels).item())
    with pytest.raises(BadInput, match="labels: expected numbers from 0 to 3, found 4"):
        metrics(z, torch.full_like(labels, 4))


def test_accuracies_on_redrawn_and_untouched_examples() -> None:
    answers = [0, 1, 2, 0, 1]
    labels, true = torch.tensor([0, 2, 0, 0, 2]), torch.tensor([1, 1, 2, 0, 2])
    redrawn = torch.tensor([True, True, True, False, False])
    z = torch.nn.functional.one_hot(torch.tensor(answers), 3).float()
    assert accuracies_under_noise(z, labels, true, redrawn) == {
        "accuracy_true": 3 / 5,
        "accuracy_redrawn": 1 / 3,
        "accuracy_redrawn_true": 2 / 3,
        "accuracy_untouched": 1 / 2,
    }


def test_an_accuracy_on_no_example_is_no_number() -> None:
    labels, none = torch.tensor([0, 1]), torch.tensor([False, False])
    found = accuracies_under_noise(torch.eye(2), labels, labels, none)
    assert math.isnan(found["accuracy_redrawn"])
    assert math.isnan(found["accuracy_redrawn_true"])
    assert found["accuracy_untouched"] == 1
