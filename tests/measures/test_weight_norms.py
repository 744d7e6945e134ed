"""Norms of weights are those of a singular value decomposition and of a closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from study.measures.weight_norms import norms, spectral_norm


def test_norms_are_those_of_all_weights_and_the_spectral_ones_of_numpy() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(shape, generator=generator) for shape in [(5, 3), (5,), (2, 5), (2,)]]
    found = norms(weights, [torch.zeros_like(each) for each in weights])
    flat = np.concatenate([each.double().numpy().ravel() for each in weights])
    assert found["weights_norm"] == pytest.approx(np.linalg.norm(flat), rel=1e-12)
    assert found["weights_distance"] == found["weights_norm"]
    both = [np.linalg.svd(weights[at].double().numpy(), compute_uv=False)[0] for at in (0, 2)]
    assert found["weights_spectral"] == pytest.approx(math.prod(both), rel=1e-12)
    assert norms(weights, weights)["weights_distance"] == 0
    moved = [each + 0.5 for each in weights]
    assert norms(moved, weights)["weights_distance"] == pytest.approx(0.5 * 32**0.5, rel=1e-6)


def test_weights_that_are_no_numbers_have_no_spectral_norm() -> None:
    assert math.isnan(spectral_norm(torch.tensor([[math.nan, 1.0]])))
    assert math.isnan(spectral_norm(torch.tensor([[math.inf, 1.0]])))
