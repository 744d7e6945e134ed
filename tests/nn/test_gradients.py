"""The derived gradients: equal to autograd's for any network, loss and rule."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from study.nn.dropout import Dropout
from study.nn.gradients import METHODS
from study.nn.losses import cross_entropy, loss_of, squared_error
from study.nn.mlp import ACTIVATIONS, sequential
from study.nn.products import layers
from study.nn.targets import one_hot

LOSSES = ["cross_entropy", "squared_error"]
TRUE_RULES = ["jacobian", "autograd", "fused"]
RULES = [*TRUE_RULES, "identity"]
size = st.integers(1, 6)
networks = st.tuples(size, st.lists(size, max_size=3), st.integers(2, 5)).map(
    lambda parts: [parts[0], *parts[1], parts[2]]
)
problems = st.fixed_dictionaries(
    {
        "widths": networks,
        "batch": st.integers(1, 5),
        "seed": st.integers(0, 2**32 - 1),
        "runs": st.none() | st.integers(1, 3),
    }
)
some = settings(max_examples=100, deadline=None, derandomize=True)


def problem(
    widths: list[int], batch: int, seed: int, runs: int | None
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Return random weights and biases, images and labels, in float64."""
    generator = torch.Generator().manual_seed(seed)
    run = () if runs is None else (runs,)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*run, *shape, generator=generator, dtype=torch.float64)

    shapes = [shape for n, m in pairwise(widths) for shape in ((m, n), (m,))]
    parameters = [normal(*shape) for shape in shapes]
    labels = torch.randint(widths[-1], (*run, batch), generator=generator)
    return parameters, normal(batch, widths[0]), labels


def gradients(
    method: str,
    parameters: list[Tensor],
    x: Tensor,
    labels: Tensor,
    masks: Sequence[Tensor | None] = (),
    **how: Any,
) -> tuple[Tensor, list[Tensor]]:
    """Return loss and gradients, in tensors that held something else."""
    found = [torch.full_like(parameter, torch.nan) for parameter in parameters]
    widths = [parameters[0].shape[-1], *(bias.shape[-1] for bias in parameters[1::2])]
    made = METHODS[method](layers(widths, x.shape[-2], {}), **how)
    p = made(parameters, x, labels, found, masks)
    loss = cross_entropy if how["loss"] == "cross_entropy" else squared_error
    return loss(p, labels), found


def plain(
    parameters: list[Tensor], x: Tensor, labels: Tensor, activation: str, loss: str
) -> tuple[Tensor, list[Tensor]]:
    """Return the true loss and gradients of an ordinary network, by nothing of this package."""
    network = sequential([parameter.clone() for parameter in parameters], activation)
    p = nn.functional.softmax(network(x), dim=1)
    if loss == "cross_entropy":
        value = nn.functional.nll_loss(p.log(), labels)
    else:
        y = nn.functional.one_hot(labels, p.shape[1])
        value = nn.functional.mse_loss(p, y.to(p.dtype), reduction="sum") / len(labels)
    value.backward()
    return value.detach(), [parameter.grad for parameter in network.parameters()]


def assert_near(found: list[Tensor], expected: list[Tensor]) -> None:
    # Identity multiplies by 1/p, which has no bound: errors are relative to the largest gradient.
    scale = max(1.0, *(float(tensor.abs().max()) for tensor in expected))
    for each, other in zip(found, expected, strict=True):
        assert each.shape == other.shape
        assert float((each - other).abs().max()) <= 1e-12 * scale


@some
@given(
    problems, st.sampled_from(sorted(ACTIVATIONS)), st.sampled_from(LOSSES), st.sampled_from(RULES)
)
def test_derived_gradients_are_autograds_for_any_network_loss_and_rule(
    facts: dict[str, Any], activation: str, loss: str, backward: str
) -> None:
    data = problem(**facts)
    how = {"activation": activation, "loss": loss, "backward": backward}
    value, derived = gradients("derived", *data, **how)
    expected_value, expected = gradients("autograd", *data, **how)
    assert_near([value, *derived], [expected_value, *expected])


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("backward", TRUE_RULES)
@settings(some, max_examples=30)
@given(problems, st.sampled_from(sorted(ACTIVATIONS)), st.sampled_from(LOSSES))
def test_rules_with_the_true_jacobian_give_the_gradients_of_a_plain_network(
    method: str, backward: str, facts: dict[str, Any], activation: str, loss: str
) -> None:
    parameters, x, labels = problem(**{**facts, "runs": None})
    value, found = gradients(
        method, parameters, x, labels, activation=activation, loss=loss, backward=backward
    )
    expected_value, expected = plain(parameters, x, labels, activation, loss)
    assert_near([value, *found], [expected_value, *expected])


def ordinary(
    parameters: list[Tensor],
    x: Tensor,
    labels: Tensor,
    masks: Sequence[Tensor | None],
    how: dict[str, Any],
) -> list[Tensor]:
    """Return the gradients of a smoothed loss under dropout, by nothing of this package."""
    act = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}
    act["gelu"] = nn.functional.gelu
    leaves = [parameter.clone().requires_grad_() for parameter in parameters]
    z = x
    for at, (weight, bias) in enumerate(zip(leaves[::2], leaves[1::2], strict=True)):
        h = act[how["activation"]](z) if at else x
        z = nn.functional.linear(h if (mask := masks[at]) is None else h * mask, weight, bias)
    p = torch.softmax(z, -1)
    if how["backward"] == "identity":
        p = p.detach().requires_grad_()
    e, classes = how["label_smoothing"], p.shape[-1]
    y = nn.functional.one_hot(labels, classes).double() * (1 - e) + e / classes
    each = -y * p.log() if how["loss"] == "cross_entropy" else (p - y) ** 2
    (each.sum() / len(labels)).backward()
    if how["backward"] == "identity":
        z.backward(p.grad)
    return [leaf.grad for leaf in leaves if leaf.grad is not None]


@some
@given(
    problems,
    st.sampled_from(sorted(ACTIVATIONS)),
    st.sampled_from(LOSSES),
    st.sampled_from(RULES),
    st.sampled_from([0.0, 0.1, 0.9]),
    st.tuples(st.sampled_from([0.0, 0.3]), st.sampled_from([0.0, 0.5])),
)
def test_dropout_and_smoothed_labels_have_the_gradients_of_an_ordinary_network(
    facts: dict[str, Any],
    activation: str,
    loss: str,
    backward: str,
    label_smoothing: float,
    dropped: tuple[float, float],
) -> None:
    parameters, x, labels = problem(**facts)
    x = x.expand(*labels.shape, x.shape[-1])
    widths = [weight.shape[-1] for weight in parameters[::2]]
    shares = [dropped[0], *[dropped[1]] * (len(widths) - 1)]
    dropout = Dropout(range(facts["runs"] or 1), widths, shares, x.device)
    which = 0 if facts["runs"] is None else slice(None)
    drawn = dropout.masks(which, x, torch.full(x.shape[:-2], 3))
    how = {"activation": activation, "loss": loss, "backward": backward}
    every = {**how, "label_smoothing": label_smoothing}
    found = {m: gradients(m, parameters, x, labels, drawn, **every)[1] for m in METHODS}
    derived = found["derived"]
    assert_near(derived, found["autograd"])
    for run in range(facts["runs"] or 0) or [...]:
        row = ([each[run] for each in parameters], x[run], labels[run])
        its = [None if each is None else each[run] for each in drawn or [None] * len(widths)]
        assert_near([each[run] for each in derived], ordinary(*row, its, every))


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("loss", LOSSES)
def test_identity_gives_what_g_sent_to_the_logits_gives_and_not_the_true_gradient(
    method: str, activation: str, loss: str
) -> None:
    parameters, x, labels = problem([5, 4, 3], batch=6, seed=0, runs=None)
    _, found = gradients(
        method, parameters, x, labels, activation=activation, loss=loss, backward="identity"
    )
    network = sequential([parameter.clone() for parameter in parameters], activation)
    z = network(x)
    p, y = torch.softmax(z, -1), one_hot(labels, z)
    z.backward((-y / p if loss == "cross_entropy" else 2 * (p - y)).detach() / 6)
    assert_near(found, [parameter.grad for parameter in network.parameters()])
    _, true = plain(parameters, x, labels, activation, loss)
    for each, other in zip(found, true, strict=True):
        assert float((each - other).abs().max()) > 0.01 * float(other.abs().max())


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("backward", RULES)
def test_runs_side_by_side_have_the_gradients_they_have_alone(method: str, backward: str) -> None:
    parameters, x, labels = problem([5, 4, 4, 3], batch=6, seed=0, runs=3)
    how = {"activation": "tanh", "loss": "cross_entropy", "backward": backward}
    values, together = gradients(method, parameters, x, labels, **how)
    assert values.shape == (3,)
    for run in range(3):
        rows = [parameter[run] for parameter in parameters]
        value, alone = gradients(method, rows, x[run], labels[run], **how)
        assert value.shape == ()
        assert_near([values[run], *(tensor[run] for tensor in together)], [value, *alone])


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("loss", LOSSES)
def test_derived_gradients_are_the_slopes_of_the_loss(activation: str, loss: str) -> None:
    parameters, x, labels = problem([3, 4, 3], batch=5, seed=1, runs=None)
    how = {"activation": activation, "loss": loss, "backward": "jacobian"}
    _, found = gradients("derived", parameters, x, labels, **how)
    generator = torch.Generator().manual_seed(2)
    step = 1e-6
    for index, parameter in enumerate(parameters):
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        moved = []
        for sign in (1, -1):
            changed = [*parameters]
            changed[index] = parameter + sign * step * direction
            moved.append(gradients("derived", changed, x, labels, **how)[0].item())
        slope = (moved[0] - moved[1]) / (2 * step)
        # A central difference is good to step^2, and to rounding of the loss over the step.
        assert slope == pytest.approx(float((found[index] * direction).sum()), abs=1e-8)


def test_a_unit_at_rest_has_relus_slope_of_zero_as_in_torch() -> None:
    parameters = [torch.zeros(2, 3), torch.zeros(2), torch.ones(2, 2), torch.zeros(2)]
    x, labels = torch.ones(1, 3), torch.tensor([0])
    how = {"activation": "relu", "loss": "cross_entropy", "backward": "jacobian"}
    for method in METHODS:
        _, found = gradients(method, parameters, x, labels, **how)
        assert not found[0].any()
        assert found[3].tolist() == [-0.5, 0.5]


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_batch_and_the_parameters_are_left_as_they_were(method: str) -> None:
    parameters, x, labels = problem([4, 3, 3, 2], batch=3, seed=0, runs=2)
    before = [tensor.clone() for tensor in (*parameters, x, labels)]
    how = {"activation": "relu", "loss": "squared_error", "backward": "identity"}
    value, _ = gradients(method, parameters, x, labels, **how)
    assert not value.requires_grad
    for tensor, old in zip((*parameters, x, labels), before, strict=True):
        assert torch.equal(tensor, old)
        assert not tensor.requires_grad


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("backward", RULES)
def test_the_probabilities_have_the_loss_that_the_run_trains_on(method: str, backward: str) -> None:
    parameters, x, labels = problem([4, 3], batch=3, seed=0, runs=2)
    for loss in LOSSES:
        value, _ = gradients(
            method, parameters, x, labels, activation="relu", loss=loss, backward=backward
        )
        z = x @ parameters[0].mT + parameters[1].unsqueeze(-2)
        torch.testing.assert_close(value, loss_of(z, labels, loss, backward), rtol=1e-13, atol=0)


@pytest.mark.parametrize("backward", [*RULES, "outside:halved"])
def test_objects_from_outside_are_trained_by_hand_as_by_autograd(backward: str) -> None:
    parameters, x, labels = problem([5, 4, 4, 3], batch=6, seed=0, runs=2)
    how = {"activation": "outside:silu", "loss": "outside:cubed_error", "backward": backward}
    found = []
    for method in METHODS:
        with torch.no_grad():  # as in a training
            found.append(gradients(method, parameters, x, labels, **how)[1])
    assert all(bool(gradient.any()) for gradient in found[0])
    assert_near(*found)
