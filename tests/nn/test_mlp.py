"""StackedMLP: nn.Linear's initial weights, aligned rows, and networks that stand alone."""

from __future__ import annotations

import io
import math
import pickle
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest
from torch import nn

from study.base.errors import BadInput
from study.nn.mlp import (
    ACTIVATIONS,
    ALIGNMENT,
    Activation,
    StackedMLP,
    aligned_stack,
    sequential,
)

WIDTHS = [7, 5, 3, 4]

some = settings(max_examples=40, deadline=None, derandomize=True)


# Initial weights


def test_initial_weights_are_uniform_within_one_over_the_root_of_fan_in() -> None:
    stack = StackedMLP(3, [784, 256, 10])
    for weight, bias in zip(stack.weights, stack.biases, strict=True):
        bound = 1 / math.sqrt(weight.shape[-1])
        for parameter in (weight, bias):
            scaled = parameter.detach().flatten().double() / bound
            # Rounding to float32 may touch the bound itself.
            assert scaled.abs().max() <= 1 + 1e-7
            # Kolmogorov and Smirnov's test, on draws that are the same every time.
            assert kstest(scaled.numpy(), "uniform", args=(-1, 2)).pvalue > 0.01


def test_a_scale_multiplies_the_initial_weights_and_biases() -> None:
    ordinary, scaled = (StackedMLP(1, WIDTHS).double() for _ in range(2))
    ordinary.initialize(0, seed=3)
    scaled.initialize(0, seed=3, scale=2.5)
    for row, other in zip(ordinary.rows(0), scaled.rows(0), strict=True):
        assert bool(row.any())
        torch.testing.assert_close(other, 2.5 * row, rtol=1e-15, atol=0)


def test_initial_weights_have_the_distribution_of_nn_linear() -> None:
    torch.manual_seed(0)
    linear, stack = nn.Linear(300, 200), StackedMLP(1, [300, 200])
    for theirs, ours in ((linear.weight, stack.weights[0]), (linear.bias, stack.biases[0])):
        found = kstest(ours.detach().flatten().numpy(), theirs.detach().flatten().numpy())
        assert found.pvalue > 0.01


def test_initial_weights_are_a_function_of_the_seed_whatever_the_slot_and_the_stack() -> None:
    alone, stack = StackedMLP(1, WIDTHS), StackedMLP(5, WIDTHS)
    for seed in (0, 3, 2**40):
        alone.initialize(0, seed)
        for slot in (4, 0):
            stack.initialize(slot, seed)
            assert all(map(torch.equal, alone.rows(0), stack.rows(slot)))


def test_a_new_stack_holds_the_seeds_0_to_n() -> None:
    alone, stack = StackedMLP(1, WIDTHS), StackedMLP(3, WIDTHS)
    for seed in range(3):
        alone.initialize(0, seed)
        assert all(map(torch.equal, alone.rows(0), stack.rows(seed)))


def test_initialising_a_slot_leaves_the_others_and_the_global_generator() -> None:
    stack = StackedMLP(3, WIDTHS)
    before = [row.clone() for slot in (0, 2) for row in stack.rows(slot)]
    state = torch.get_rng_state()
    stack.initialize(1, seed=77)
    assert all(map(torch.equal, before, [row for slot in (0, 2) for row in stack.rows(slot)]))
    assert torch.equal(state, torch.get_rng_state())


def test_other_seeds_layers_and_parameters_draw_other_weights() -> None:
    stack = StackedMLP(2, [4, 4, 4])
    scaled = [parameter.flatten() * 2 for slot in range(2) for parameter in stack.rows(slot)]
    numbers = torch.cat(scaled).tolist()
    assert len(set(numbers)) == len(numbers)


def test_weights_of_another_type_are_the_same_draws_rounded() -> None:
    single, double = StackedMLP(1, WIDTHS), StackedMLP(1, WIDTHS).double()
    double.initialize(0, seed=0)
    for mine, other in zip(single.rows(0), double.rows(0), strict=True):
        assert torch.equal(mine, other.float())
    assert not torch.equal(double.rows(0)[0], double.rows(0)[0].float().double())


# Forward


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("widths", [[7, 4], WIDTHS])
def test_each_row_computes_what_its_plain_network_does(activation: str, widths: list[int]) -> None:
    stack = StackedMLP(3, widths, activation)
    x = torch.randn(3, 6, 7, generator=torch.Generator().manual_seed(0))
    z = stack(x)
    assert z.shape == (3, 6, 4)
    for run in range(3):
        # A batched product may round otherwise than a single one.
        torch.testing.assert_close(z[run], stack.network(run)(x[run]), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(stack(x[0])[2], stack(x[:1].expand(3, -1, -1))[2])


def test_forward_by_hand() -> None:
    stack = StackedMLP(1, [2, 2, 1])
    values = [[[1.0, -1.0], [2.0, 0.5]], [0.0, -1.0], [[3.0, -2.0]], [0.25]]
    for row, value in zip(stack.rows(0), values, strict=True):
        row.copy_(torch.tensor(value))
    # u = (1 - 2, 2 + 1 - 1) = (-1, 2), h = (0, 2), z = -4 + 0.25
    assert stack(torch.tensor([[1.0, 2.0]])).tolist() == [[[-3.75]]]


def test_any_optimizer_can_train_it_by_autograd() -> None:
    stack = StackedMLP(2, WIDTHS)
    before = [parameter.detach().clone() for parameter in stack.parameters()]
    sgd = torch.optim.SGD(stack.parameters(), lr=0.1)
    stack(torch.ones(3, 7)).square().sum().backward()
    sgd.step()
    assert len(before) == 6
    assert not any(map(torch.equal, stack.parameters(), before))


# Rows and networks


def test_rows_share_memory_with_the_stack_and_are_leaves() -> None:
    stack = StackedMLP(2, WIDTHS)
    rows = stack.rows(1)
    assert [tuple(row.shape) for row in rows] == [(5, 7), (5,), (3, 5), (3,), (4, 3), (4,)]
    rows[2].fill_(5)
    assert (stack.weights[1][1] == 5).all()
    assert not (stack.weights[1][0] == 5).any()
    assert all(row.is_leaf for row in rows)
    assert [tuple(row.shape) for row in stack.rows(slice(None))][:2] == [(2, 5, 7), (2, 5)]


@some
@given(
    runs=st.integers(1, 5),
    shape=st.lists(st.integers(1, 37), min_size=1, max_size=2),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)
def test_every_run_of_an_aligned_stack_starts_at_an_aligned_address(
    runs: int, shape: list[int], dtype: torch.dtype
) -> None:
    stack = aligned_stack(runs, shape, torch.empty(0, dtype=dtype))
    assert stack.shape == (runs, *shape)
    assert stack.dtype == dtype
    assert not stack.any()
    assert all(stack[run].data_ptr() % ALIGNMENT == 0 for run in range(runs))
    assert all(stack[run].is_contiguous() for run in range(runs))


@some
@given(st.integers(1, 5), st.lists(st.integers(1, 37), min_size=2, max_size=4))
def test_rows_start_at_addresses_aligned_to_64_bytes_for_odd_sizes(
    runs: int, widths: list[int]
) -> None:
    stack = StackedMLP(runs, widths)
    assert ALIGNMENT == 64
    assert all(row.data_ptr() % 64 == 0 for run in range(runs) for row in stack.rows(run))


def test_the_padding_between_rows_is_no_part_of_a_state_dict() -> None:
    stack, other = StackedMLP(2, WIDTHS), StackedMLP(2, WIDTHS)
    state = stack.state_dict()
    shapes = [tuple(tensor.shape) for tensor in state.values()]
    assert shapes == [(2, 5, 7), (2, 3, 5), (2, 4, 3), (2, 5), (2, 3), (2, 4)]
    other.initialize(1, seed=9)
    other.load_state_dict(state)
    assert all(map(torch.equal, stack.parameters(), other.parameters()))


def test_a_network_is_plain_torch_and_trainable() -> None:
    network = StackedMLP(2, WIDTHS, "gelu").network(1)
    assert type(network) is nn.Sequential
    kinds = [type(module) for module in network]
    assert kinds == [nn.Linear, nn.GELU, nn.Linear, nn.GELU, nn.Linear]
    assert list(network.state_dict()) == [
        f"{layer}.{kind}" for layer in (0, 2, 4) for kind in ("weight", "bias")
    ]
    assert [(m.in_features, m.out_features) for m in network[::2]] == [(7, 5), (5, 3), (3, 4)]
    assert all(parameter.requires_grad for parameter in network.parameters())
    network(torch.ones(1, 7)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_network_has_memory_of_its_own() -> None:
    stack = StackedMLP(2, WIDTHS)
    network = stack.network(1)
    before = [row.clone() for row in stack.rows(1)]
    kept = [parameter.detach().clone() for parameter in network.parameters()]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(7)
    assert all(map(torch.equal, stack.rows(1), before))
    network = stack.network(1)
    stack.initialize(1, seed=50)
    assert all(map(torch.equal, network.parameters(), kept))


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_a_pickled_network_needs_nothing_of_this_package(activation: str) -> None:
    network = StackedMLP(2, WIDTHS, activation).network(1)
    assert {type(module).__module__.split(".")[0] for module in network.modules()} == {"torch"}
    file = io.BytesIO()
    torch.save(network, file)
    for content in (pickle.dumps(network), file.getvalue()):
        assert b"study" not in content
    x = torch.ones(2, 7)
    assert torch.equal(pickle.loads(pickle.dumps(network))(x), network(x))


def test_sequential_of_one_layer_is_a_linear_classifier() -> None:
    network = sequential([torch.eye(2), torch.tensor([1.0, 2.0])], "relu")
    assert len(network) == 1
    assert network(torch.tensor([[-5.0, 5.0]])).tolist() == [[-4.0, 7.0]]


@pytest.mark.parametrize(
    "build",
    [
        lambda name: StackedMLP(1, WIDTHS, name),
        lambda name: sequential([torch.eye(2), torch.zeros(2)], name),
    ],
)
def test_a_misspelt_activation_is_refused_with_the_nearest(build: Any) -> None:
    with pytest.raises(BadInput, match=r"^activation: .*found 'rleu'; did you mean 'relu'\?$"):
        build("rleu")


# Activations from elsewhere


def test_an_activation_from_outside_needs_a_function_and_a_module() -> None:
    stack = StackedMLP(2, WIDTHS, "outside:silu")
    x = torch.randn(6, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(stack(x)[1], stack.network(1)(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_derivative_is_the_one_that_autograd_finds(name: str) -> None:
    activation = ACTIVATIONS[name]
    u = torch.linspace(-3, 3, 50, dtype=torch.float64)  # not 0, where relu has a corner
    delta = torch.linspace(1, 2, 50, dtype=torch.float64)
    expected = delta.clone()
    Activation(activation.function, activation.module).through(expected, u, activation.function(u))
    overwritten = u.clone()
    h = activation.in_place(overwritten)
    activation.through(delta, overwritten, h)
    torch.testing.assert_close(delta, expected, rtol=1e-12, atol=1e-12)


def test_an_activation_that_overwrites_needs_a_derivative_from_what_it_leaves() -> None:
    with pytest.raises(ValueError, match="overwriting: expected a derivative"):
        Activation(torch.sin, nn.Identity, overwriting=torch.sin_)
