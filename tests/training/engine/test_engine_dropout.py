"""Dropout, smoothed labels and scaled weights in a stack: no run feels its neighbours by them."""

from __future__ import annotations

import pytest
import torch
from problems import BACKWARDS, LOSSES, STEPS, Problem, relative, same_bits, step

from study.runs.settings import Model
from study.training.stack_batch import StackBatch

DROPS = Model(dropout=0.5, input_dropout=0.2, activation="tanh", label_smoothing=0.1)


@pytest.mark.parametrize("gradients", ["derived", "autograd"])
@pytest.mark.parametrize("batched", [False, True])
def test_dropout_does_not_feel_neighbours_and_every_step_has_its_own_masks(
    batched: bool, gradients: str
) -> None:
    model = Model(**{**DROPS.values(), "gradients": gradients})
    problem = Problem((7, 5, 5, 3), 5, model, batched=batched)  # odd batches, odd widths
    alone, stack = problem.train([9]), problem.train([3, 9, 4])
    if batched:  # products of another shape round otherwise
        assert relative(stack.rows[1], alone.rows[0]) < 1e-5
    else:
        assert same_bits(stack, 1, alone, 0)
    data = problem.data([9], 0)
    first = [problem.engine([9]) for _ in range(3)]
    losses = [
        float(engine.steps(StackBatch.of_tensors(*data, number), [0])[0])
        for engine, number in zip(first, (0, 1, 1), strict=True)
    ]
    assert losses[0] != losses[1] == losses[2]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("backward", BACKWARDS)
def test_batched_dropout_and_smoothing_are_those_of_rows(loss: str, backward: str) -> None:
    model = Model(**{**DROPS.values(), "loss": loss, "backward": backward})
    problem = Problem((13, 33, 10), 32, model)
    rows, batched = problem.train(range(3)), problem._replace(batched=True).train(range(3))
    for slot in range(3):
        assert relative(batched.rows[slot], rows.rows[slot]) < 1e-5


def test_a_slot_drops_by_the_seed_of_the_run_that_it_holds() -> None:
    problem = Problem((7, 5, 3), 4, DROPS)
    used = problem.train([0, 1], steps=2)
    used.load(1, problem.run(8))
    for number in range(STEPS):
        step(used, *problem.data([0, 8], number), [0, 1], number)
    assert same_bits(used, 1, problem.train([8]), 0)


def test_evaluation_drops_nothing_and_a_scale_is_of_the_weights_a_run_begins_with() -> None:
    plain = Problem((7, 5, 3), 4, Model(activation="tanh"))
    own = {4: {"model": Model(**{**DROPS.values(), "init_scale": 3.0})}}
    images = plain.data([4], 0)[0][0]
    dropping, scaled = plain._replace(model=DROPS).engine([4]), plain._replace(own=own).engine([4])
    assert torch.equal(dropping.logits(0, images), plain.engine([4]).logits(0, images))
    for row, other in zip(scaled.rows[0], dropping.rows[0], strict=True):
        torch.testing.assert_close(row, 3 * other)
