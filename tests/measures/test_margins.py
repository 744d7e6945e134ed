"""Margins and their scale, of networks small enough to do by hand, and their invariants."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from study.base.streams import Stream
from study.measures import MEASURES
from study.measures.margins import spectral_complexity
from study.measures.network import MeasuredNetwork


class Data:
    """Eleven examples of one feature, whose margin is that feature."""

    labels = true_labels = torch.zeros(11, dtype=torch.int64)
    redrawn = labels.bool()
    test_images, test_labels = torch.zeros(0, 1), labels[:0]
    images = torch.arange(11.0).flip(0).unsqueeze(-1)

    def train_part(self, part: slice | Tensor) -> Tensor:
        return self.images[part]


def network(weight: Tensor) -> MeasuredNetwork:
    return MeasuredNetwork(lambda images: images @ weight.T, [weight, torch.zeros(2)], list, "", "")


def test_quantiles_of_margins_and_their_scale() -> None:
    found = MEASURES["margins"](network(torch.tensor([[1.0], [0.0]])), Data(), Stream(0, "m"))
    images = math.sqrt(sum(i * i for i in range(11)))
    # One layer: R is ||W^T||_{2,1}, which is 1.
    expected = {"margin_10": 1.0, "margin_50": 5.0, "margin_90": 9.0, "margin_scale": images / 11}
    assert found == pytest.approx(expected, rel=1e-12)


def test_normalized_margins_do_not_change_when_the_last_layer_is_scaled() -> None:
    weight = torch.tensor([[2.0], [-1.0]])
    one, other = (
        MEASURES["margins"](network(w), Data(), Stream(0, "m")) for w in (weight, 8 * weight)
    )
    assert other["margin_50"] == 8 * one["margin_50"]
    ratio = one["margin_50"] / one["margin_scale"]
    assert other["margin_50"] / other["margin_scale"] == pytest.approx(ratio, rel=1e-12)


def test_the_complexity_of_two_layers_is_that_of_the_equation() -> None:
    layers = [torch.diag(torch.tensor([3.0, 4.0])), torch.tensor([[2.0, 0.0]])]
    terms = (7 / 4) ** (2 / 3) + (2 / 2) ** (2 / 3)
    assert spectral_complexity(layers) == pytest.approx(4 * 2 * terms**1.5, rel=1e-12)
    assert spectral_complexity([torch.zeros(2, 2)]) == 0
