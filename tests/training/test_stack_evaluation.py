"""What measures are told of a network is what its training begins with."""

from __future__ import annotations

import pytest
import torch
from helpers import small_run

from study.training.stack_evaluation import initial_weights
from study.training.stack_module import StackModule


@pytest.mark.parametrize(
    "facts",
    [{}, {"model.init_scale": 2.0, "trainer.precision": "64-true"}],
    ids=["plain", "scaled"],
)
def test_initial_weights_are_those_that_training_begins_with(facts: dict[str, object]) -> None:
    run = small_run(seed=3, **facts)
    begun = StackModule(run).network.rows(0)
    for ours, theirs in zip(initial_weights(run), begun, strict=True):
        assert torch.equal(ours, theirs)
        assert ours.dtype == theirs.dtype
