"""The steps of a stack: no run feels its neighbours, and batched products are those of rows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from helpers import small_run
from hypothesis import given, settings
from problems import BACKWARDS, LOSSES, SGD, Problem, odd_problems, relative, same_bits, step

from study.nn.mlp import StackedMLP
from study.nn.products import available
from study.runs.run import Run
from study.runs.settings import Data, Model, Optimizer, Trainer
from study.training.engine import BatchedEngine, RowEngine, make_engine
from study.training.engine.neighbours import neighbours_felt


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Let torch use one or two threads, and after that as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def assert_no_neighbour_is_felt(problem: Problem) -> None:
    """Train one run alone and in stacks of 2, 5 and 16, and compare its bits."""
    full = problem.train(range(16))
    for stack, place in (([9], 0), ([9, 3], 0), ([3, 9], 1), ([0, 1, 9, 2, 3], 2)):
        assert same_bits(full, 9, problem.train(stack), place)
    for seed in (0, 15):  # the ends of the stack
        assert same_bits(full, seed, problem.train([seed]), 0)


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
        1: {"optimizer": Optimizer(lr=0.1, betas=[0.5, 0.9])},
        2: {"optimizer": Optimizer(weight_decay=0.1, decoupled_weight_decay=True)},
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
