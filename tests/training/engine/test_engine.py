"""The steps of a stack: no run feels its neighbours, and each is clipped alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
import torch
from helpers import small_run
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from study.nn.mlp import ACTIVATIONS, StackedMLP, aligned_stack
from study.nn.products import available, shapes
from study.runs.optimizer import Optimizer
from study.runs.run import Run
from study.runs.settings import Data, Model, Trainer
from study.training.engine import BatchedEngine, Engine, RowEngine, Running, make_engine
from study.training.engine.neighbours import neighbours_felt
from study.training.stack_data import StackBatch, WholeBatch

BACKWARDS = ["jacobian", "identity", "autograd", "fused"]
LOSSES = ["cross_entropy", "squared_error"]
SGD = Optimizer("torch.optim.SGD", {"lr": 0.1, "momentum": 0.9})
STEPS = 3


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Let torch use one or two threads, and after that as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def step(engine: Engine, images: Tensor, labels: Tensor, training: Sequence[int]) -> Tensor:
    """Take one step of some slots, and return all slots' losses."""
    running = engine.steps(WholeBatch(images, labels), training)
    engine.optimizer.step()
    return running.cross_entropy / running.examples


class Problem(NamedTuple):
    """What every run of a stack shares; its images and labels are a function of its seed."""

    widths: Sequence[int] = (7, 5, 3)
    batch: int = 4
    model: Model = Model()
    optimizer: Optimizer = Optimizer()
    trainer: Trainer = Trainer()
    batched: bool = False
    route: str = "blas"
    own: Mapping[int, dict[str, Any]] = {}  # facts of single seeds

    def run(self, seed: int) -> Run:
        """Return the run of a seed."""
        facts = {"optimizer": self.optimizer, "trainer": self.trainer, **self.own.get(seed, {})}
        return Run(seed=seed, data=Data(batch_size=self.batch), model=self.model, **facts)

    def engine(self, seeds: Sequence[int]) -> Engine:
        """Return an engine with a run for each seed."""
        network = StackedMLP(len(seeds), self.widths, self.model.activation)
        engine = make_engine(
            network,
            [self.run(seed) for seed in seeds],
            batched=self.batched,
            routes={str(shape): self.route for shape in shapes(self.widths, self.batch)},
        )
        for slot, seed in enumerate(seeds):
            engine.load(slot, self.run(seed))
        return engine

    def data(self, seeds: Sequence[int], number: int) -> tuple[Tensor, Tensor]:
        """Return a step's batches, images aligned as a study's data are."""
        images = aligned_stack(len(seeds), (self.batch, self.widths[0]))
        labels = []
        for slot, seed in enumerate(seeds):
            generator = torch.Generator().manual_seed(1000 * seed + number)
            images[slot] = torch.rand(self.batch, self.widths[0], generator=generator)
            labels.append(torch.randint(self.widths[-1], (self.batch,), generator=generator))
        return images, torch.stack(labels)

    def train(self, seeds: Sequence[int], steps: int = STEPS) -> Engine:
        """Train a run for each seed."""
        engine = self.engine(seeds)
        for number in range(steps):
            step(engine, *self.data(seeds, number), range(len(seeds)))
        return engine


def same_bits(engine: Engine, slot: int, other: Engine, other_slot: int) -> bool:
    """Tell whether two slots hold the same weights and optimizer state."""
    a, b = engine.save(slot), other.save(other_slot)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def assert_no_neighbour_is_felt(problem: Problem) -> None:
    """Train one run alone and in stacks of 2, 5 and 16, and compare its bits."""
    full = problem.train(range(16))
    for stack, place in (([9], 0), ([9, 3], 0), ([3, 9], 1), ([0, 1, 9, 2, 3], 2)):
        assert same_bits(full, 9, problem.train(stack), place)
    for seed in (0, 15):  # the ends of the stack
        assert same_bits(full, seed, problem.train([seed]), 0)


size = st.integers(1, 40)
odd_problems = st.builds(
    lambda first, hidden, last, *others, route: Problem(
        [first, *hidden, last], *others, route=route
    ),
    size,
    st.lists(size, max_size=3),
    st.integers(2, 12),
    st.integers(1, 70),
    st.builds(
        Model,
        activation=st.sampled_from(sorted(ACTIVATIONS)),
        loss=st.sampled_from(LOSSES),
        backward=st.sampled_from(BACKWARDS),
        gradients=st.sampled_from(["derived", "autograd"]),
    ),
    st.sampled_from([Optimizer(), SGD]),
    route=st.sampled_from(available()),
)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(odd_problems)
def test_a_run_has_the_same_bits_alone_in_any_stack_and_at_any_place(problem: Problem) -> None:
    assert_no_neighbour_is_felt(problem)


# Shapes in which rows that start at unaligned addresses were seen to change bits.
@pytest.mark.parametrize(
    ("widths", "batch"),
    [((93, 10), 29), ((86, 6), 37), ((78, 11), 21), ((47, 80, 10, 7), 2), ((55, 5, 8, 7), 47)],
)
def test_shapes_that_feel_alignment_keep_their_bits(widths: tuple[int, ...], batch: int) -> None:
    assert_no_neighbour_is_felt(Problem(widths, batch))


@pytest.mark.parametrize("route", available())
@pytest.mark.parametrize(
    ("widths", "batch"), [((7, 5, 3), 4), ((93, 10), 29), ((301, 203, 10), 97)]
)
def test_bits_depend_on_no_neighbour_whatever_the_number_of_threads(
    threads: int, widths: tuple[int, ...], batch: int, route: str
) -> None:
    assert torch.get_num_threads() == threads
    problem = Problem(widths, batch, route=route)
    assert_no_neighbour_is_felt(problem)
    assert torch.get_num_threads() == threads
    # And they are those of one thread.
    many = problem.train(range(4))
    torch.set_num_threads(1)
    one = problem.train(range(4))
    assert all(same_bits(many, slot, one, slot) for slot in range(4))


def test_runs_with_numbers_of_their_own_keep_the_bits_they_have_alone() -> None:
    own = {
        1: {"optimizer": Optimizer.of({"lr": 0.1, "betas": [0.5, 0.9]})},
        2: {"optimizer": Optimizer.of({"weight_decay": 0.1, "decoupled_weight_decay": True})},
        3: {"trainer": Trainer(gradient_clip_val=0.01)},
    }
    problem = Problem(own=own)
    stack = problem.train(range(4))
    assert all(same_bits(stack, seed, problem.train([seed]), 0) for seed in range(4))


def test_a_run_that_diverges_at_once_feels_no_neighbours() -> None:
    assert neighbours_felt(small_run(**{"optimizer.lr": 1e30})) == 0.0


def test_neighbours_felt_is_zero_on_a_cpu_and_rounding_in_batched_products() -> None:
    run = Run(data=Data(dataset="digits", batch_size=13), model=Model(hidden=(33,)))
    assert neighbours_felt(run) == 0.0
    assert neighbours_felt(run, batched=True) < 1e-5


@pytest.mark.skipif("onednn" not in available(), reason="torch without oneDNN")
def test_a_route_that_is_given_is_taken_and_written_down() -> None:
    blas, onednn = (Problem((301, 203, 10), 97, route=route) for route in ("blas", "onednn"))
    assert set(onednn.engine([0]).routes.values()) == {"onednn"}
    for each in (blas, onednn):
        assert same_bits(each.train([0, 1]), 1, each.train([1]), 0)
    a, b = (each.train([0]).rows[0] for each in (blas, onednn))
    assert 0 < relative(a, b) < 1e-5  # rounded otherwise, so it was another route


# Batched products, a GPU's way


def relative(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    """Return the largest difference, relative to the largest element."""
    scale = max(float(tensor.abs().max()) for tensor in b)
    return max(float((x - y).abs().max()) for x, y in zip(a, b, strict=True)) / scale


@settings(max_examples=25, deadline=None, derandomize=True)
@given(odd_problems)
def test_batched_products_give_the_losses_and_gradients_of_rows(problem: Problem) -> None:
    seeds = [4, 0, 7]
    rows, batched = problem.engine(seeds), problem._replace(batched=True).engine(seeds)
    losses, expected = (step(each, *problem.data(seeds, 0), range(3)) for each in (batched, rows))
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=1e-7)
    for slot in range(3):
        assert relative(batched.gradient_rows[slot], rows.gradient_rows[slot]) < 1e-5


@pytest.mark.parametrize("backward", BACKWARDS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", [Optimizer(), SGD], ids=["Adam", "SGD"])
def test_batched_training_is_that_of_rows_to_rounding(
    backward: str, loss: str, optimizer: Optimizer
) -> None:
    model = Model(backward=backward, loss=loss, activation="tanh")
    problem = Problem((64, 33, 10), 32, model, optimizer)
    rows, batched = problem.train(range(3)), problem._replace(batched=True).train(range(3))
    for slot in range(3):
        assert relative(batched.rows[slot], rows.rows[slot]) < 1e-5


def test_a_cpu_takes_rows_unless_told_otherwise() -> None:
    stack = StackedMLP(2, [3, 2]), [Run(), Run()]
    assert isinstance(make_engine(*stack), RowEngine)
    assert isinstance(make_engine(*stack, batched=True), BatchedEngine)


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
    [Optimizer.of({"weight_decay": 0.1, "decoupled_weight_decay": True}), SGD],
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
    problem = Problem(own={8: {"optimizer": Optimizer.of({"lr": 0.1})}})
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


@pytest.mark.parametrize("batched", [False, True])
def test_several_steps_at_a_time_are_the_same_steps(batched: bool) -> None:
    problem = Problem(batched=batched)
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.rand(11, 7, generator=generator), torch.arange(11) % 3
    orders = [torch.randperm(11, generator=generator) for _ in range(2)]
    epoch = {slot: (images, order, labels[order]) for slot, order in enumerate(orders)}
    parts = [slice(0, 4), slice(4, 8), slice(8, 12)]  # the last is smaller
    together, apart = problem.engine([0, 1]), problem.engine([0, 1])
    running = together.steps(StackBatch(epoch, aligned_stack(2, (4, 7)), slice(0, 11)), [0, 1])
    expected = Running.zeros(2, torch.device("cpu"))
    for part in parts:
        batch = aligned_stack(2, (4, 7))[:, : len(orders[0][part])]
        for slot, order in enumerate(orders):
            batch[slot] = images[order[part]]
        chosen = torch.stack([labels[order[part]] for order in orders])
        expected += apart.steps(WholeBatch(batch, chosen), [0, 1])
    assert running.examples.tolist() == [11, 11]
    for name in ("cross_entropy", "right", "examples"):
        assert torch.equal(getattr(running, name), getattr(expected, name))
    assert all(same_bits(together, slot, apart, slot) for slot in range(2))
