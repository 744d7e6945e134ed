"""Slots of a stack: each is clipped alone, fails alone, stops, goes on and is used again."""

from __future__ import annotations

import pytest
import torch
from problems import SGD, STEPS, Problem, relative, same_bits, step

from study.nn.mlp import aligned_stack
from study.runs.settings import Model, Optimizer, Trainer
from study.training.engine import Engine
from study.training.stack_batch import StackBatch

# Neighbours that fail


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("gradients", ["derived", "autograd"])
def test_a_neighbour_of_nan_changes_no_bit_of_the_others(batched: bool, gradients: str) -> None:
    clip = Trainer(gradient_clip_val=0.1)
    problem = Problem((13, 9, 5), 6, Model(gradients=gradients), trainer=clip, batched=batched)
    sound, spoilt = problem.engine(range(4)), problem.engine(range(4))
    for row in spoilt.rows[2]:
        row.fill_(torch.nan)
    for number in range(STEPS):
        data = problem.data(range(4), number)
        step(sound, *data, range(4))
        losses = step(spoilt, *data, range(4))
        assert losses.isnan().tolist() == [False, False, True, False]
    assert all(row.isnan().all() for row in spoilt.rows[2])
    for slot in (0, 1, 3):
        assert same_bits(sound, slot, spoilt, slot)
        assert all(row.isfinite().all() for row in spoilt.rows[slot])


# Clipping


def norm(engine: Engine, slot: int) -> float:
    """Return the norm of one run's whole gradient."""
    return float(torch.cat([gradient.flatten() for gradient in engine.gradient_rows[slot]]).norm())


@pytest.mark.parametrize("batched", [False, True])
def test_each_runs_gradient_is_clipped_to_its_own_bound(batched: bool) -> None:
    bounds = {0: 1e-3, 1: 0.05, 2: 1e3}
    own = {seed: {"trainer": Trainer(gradient_clip_val=bound)} for seed, bound in bounds.items()}
    free, clipped = Problem(batched=batched), Problem(batched=batched, own=own)
    before, after = free.engine(range(4)), clipped.engine(range(4))
    for engine in (before, after):
        step(engine, *free.data(range(4), 0), range(4))
    for slot in (0, 1):
        assert norm(before, slot) > bounds[slot]
        # To the bound, up to rounding and the 1e-6 that torch adds to the norm.
        assert norm(after, slot) <= bounds[slot] * (1 + 1e-6)
        assert norm(after, slot) == pytest.approx(bounds[slot], rel=1e-4)
        scale = norm(after, slot) / norm(before, slot)
        for found, whole in zip(after.gradient_rows[slot], before.gradient_rows[slot], strict=True):
            torch.testing.assert_close(found, scale * whole, rtol=1e-5, atol=1e-9)
    for slot in (2, 3):  # a bound too large to matter, and none
        assert all(map(torch.equal, after.gradient_rows[slot], before.gradient_rows[slot]))


def test_clipping_one_run_changes_no_bit_of_another() -> None:
    own = {0: {"trainer": Trainer(gradient_clip_val=1e-3)}}
    for optimizer in (Optimizer(), SGD):
        free = Problem(optimizer=optimizer).train([0, 1])
        clipped = Problem(optimizer=optimizer, own=own).train([0, 1])
        assert same_bits(free, 1, clipped, 1)
        assert not same_bits(free, 0, clipped, 0)


def test_clipping_by_value_bounds_each_element() -> None:
    trainer = Trainer(gradient_clip_val=0.01, gradient_clip_algorithm="value")
    free, clipped = Problem().engine([0]), Problem(trainer=trainer).engine([0])
    for engine in (free, clipped):
        step(engine, *Problem().data([0], 0), [0])
    for found, whole in zip(clipped.gradient_rows[0], free.gradient_rows[0], strict=True):
        assert torch.equal(found, whole.clamp(-0.01, 0.01))
    assert any((whole.abs() > 0.01).any() for whole in free.gradient_rows[0])


# Slots


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize(
    "optimizer",
    [Optimizer(weight_decay=0.1, decoupled_weight_decay=True), SGD],
    ids=["Adam", "SGD"],
)
def test_slots_that_do_not_train_are_not_updated_and_the_others_do_not_notice(
    optimizer: Optimizer, batched: bool
) -> None:
    problem = Problem(optimizer=optimizer, batched=batched)
    everyone, some = problem.train(range(4)), problem.train(range(4))
    before = [some.save(slot) for slot in range(4)]
    for number in range(STEPS, 2 * STEPS):
        data = problem.data(range(4), number)
        step(everyone, *data, [0, 1, 2, 3])
        step(some, *data, [1, 3])
    for slot in (0, 2):  # momentum and decay would move them even with a gradient of zero
        after = some.save(slot)
        assert all(torch.equal(before[slot][name], after[name]) for name in after)
    for slot in (1, 3):
        assert same_bits(everyone, slot, some, slot)
        assert not torch.equal(before[slot]["0.weight"], some.save(slot)["0.weight"])


def test_a_slot_that_stopped_may_train_again() -> None:
    problem = Problem()
    engine, other = problem.train([0, 1]), problem.train([0, 1])
    step(engine, *problem.data([0, 1], 8), [1])
    for each in (engine, other):
        step(each, *problem.data([0, 1], 9), [0, 1])
    assert same_bits(engine, 0, other, 0)


@pytest.mark.parametrize("optimizer", [Optimizer(), SGD], ids=["Adam", "SGD"])
def test_a_saved_run_goes_on_in_another_slot_with_the_same_bits(optimizer: Optimizer) -> None:
    problem = Problem(optimizer=optimizer)
    through = problem.train([5, 6], steps=2 * STEPS)
    state = problem.train([5, 6]).save(1)
    later = problem.train([0, 1, 2], steps=7)  # a slot that was in use
    later.load(2, problem.run(6), state)
    for number in range(STEPS, 2 * STEPS):
        step(later, *problem.data([0, 1, 6], number), [0, 1, 2])
    assert same_bits(through, 1, later, 2)


def test_a_new_run_in_a_used_slot_trains_as_in_a_fresh_one() -> None:
    problem = Problem(own={8: {"optimizer": Optimizer(lr=0.1)}})
    used = problem.train([0, 1], steps=7)
    used.load(1, problem.run(8))
    for number in range(STEPS):
        step(used, *problem.data([0, 8], number), [0, 1])
    assert same_bits(used, 1, problem.train([8]), 0)
    assert used.runs[1] == problem.run(8)


@pytest.mark.parametrize("batched", [False, True])
def test_a_last_batch_that_is_smaller_is_a_batch(batched: bool) -> None:
    problem = Problem(batched=batched)
    images, labels = problem.data([0, 1], 0)
    engine, alone = problem.engine([0, 1]), Problem().engine([1])
    losses = step(engine, images[:, :2], labels[:, :2], [0, 1])
    expected = step(alone, images[1:, :2], labels[1:, :2], [0])
    torch.testing.assert_close(losses[1:], expected, rtol=1e-6, atol=0)
    assert relative(engine.gradient_rows[1], alone.gradient_rows[0]) < 1e-5


@pytest.mark.parametrize("model", [Model(), Model(dropout=0.5, input_dropout=0.2)])
@pytest.mark.parametrize("batched", [False, True])
def test_several_steps_at_a_time_are_the_same_steps(batched: bool, model: Model) -> None:
    problem = Problem(batched=batched, model=model)
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.rand(11, 7, generator=generator), torch.arange(11) % 3
    orders = [torch.randperm(11, generator=generator) for _ in range(2)]
    epoch = {slot: (images, order, labels[order], 5) for slot, order in enumerate(orders)}
    parts = [slice(0, 4), slice(4, 8), slice(8, 12)]  # the last is smaller
    together, apart = problem.engine([0, 1]), problem.engine([0, 1])
    running = together.steps(StackBatch(epoch, aligned_stack(2, (4, 7)), slice(0, 11)), [0, 1])
    expected = torch.zeros(3, 2, dtype=torch.float64)
    for number, part in enumerate(parts, 5):
        batch = aligned_stack(2, (4, 7))[:, : len(orders[0][part])]
        for slot, order in enumerate(orders):
            batch[slot] = images[order[part]]
        chosen = torch.stack([labels[order[part]] for order in orders])
        expected += apart.steps(StackBatch.of_tensors(batch, chosen, number), [0, 1])
    assert running[2].tolist() == [11, 11]
    assert torch.equal(running, expected)
    assert all(same_bits(together, slot, apart, slot) for slot in range(2))
