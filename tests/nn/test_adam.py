"""Adam: the paper's algorithm, torch's own step for step, known minima and exact limits."""

from __future__ import annotations

import copy
import io
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim import lr_scheduler
from torch.testing._internal.common_optimizers import optim_db

import study
from study.nn.adam import Adam
from study.nn.losses import fused_cross_entropy

BOTH = pytest.mark.parametrize("fused", [True, False])
SHAPES = [(4, 3), (7,), (2, 3, 2)]

some = settings(max_examples=40, deadline=None, derandomize=True)


def leaves(*shapes: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float64) -> Any:
    """Return random parameters of one seed."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes
    ]


def feed(parameters: list[Tensor], step: int, seed: int = 100) -> None:
    """Set the gradient: a pull to 10 with noise of a size that changes from step to step."""
    generator = torch.Generator().manual_seed(1000 * seed + step)
    for parameter in parameters:
        noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        parameter.grad = parameter.detach() - 10 + (1 + step % 7) * noise


def relative(a: Tensor, b: Tensor) -> float:
    """Return the largest difference, relative to the largest element."""
    return float((a - b).detach().abs().max() / b.detach().abs().max())


@BOTH
@pytest.mark.parametrize(
    ("reference", "numbers"),
    [
        (torch.optim.Adam, {"lr": 1e-3}),
        (torch.optim.Adam, {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-3}),
        (torch.optim.Adam, {"lr": 1e-2, "weight_decay": 0.1}),
        (torch.optim.AdamW, {"lr": 1e-2, "weight_decay": 0.1}),
    ],
    ids=["defaults", "numbers", "l2", "decoupled"],
)
@pytest.mark.parametrize(
    # Rounding of 1,000 steps: each is good to 6e-8 in float32 and to 1e-16 in float64.
    ("dtype", "bound"),
    [(torch.float32, 1e-6), (torch.float64, 1e-14)],
)
def test_a_thousand_steps_are_torchs_step_for_step(
    reference: Any, numbers: dict[str, Any], fused: bool, dtype: torch.dtype, bound: float
) -> None:
    ours, theirs = leaves(*SHAPES, dtype=dtype), leaves(*SHAPES, dtype=dtype)
    decoupled = reference is torch.optim.AdamW
    adam = Adam(ours, **numbers, decoupled_weight_decay=decoupled, fused=fused)
    torchs = reference(theirs, **numbers, foreach=False, fused=False)
    start = [parameter.detach().clone() for parameter in ours]
    for step in range(1000):
        # The same gradients for both, so that no feedback hides a difference.
        feed(ours, step)
        for mine, other in zip(ours, theirs, strict=True):
            other.grad = mine.grad.clone()
        adam.step()
        torchs.step()
        assert max(map(relative, ours, theirs)) < bound, f"step {step}"
    assert min(map(relative, ours, start)) > 0.1  # they have moved


@pytest.mark.parametrize("decoupled", [False, True])
def test_fused_updates_have_the_bits_of_torchs_fused_kernel(decoupled: bool) -> None:
    ours, theirs = leaves(*SHAPES, dtype=torch.float32), leaves(*SHAPES, dtype=torch.float32)
    numbers = {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.1}
    adam = Adam(ours, **numbers, decoupled_weight_decay=decoupled)
    reference = torch.optim.AdamW if decoupled else torch.optim.Adam
    torchs = reference(theirs, **numbers, fused=True)
    for step in range(100):
        feed(ours, step)
        feed(theirs, step)
        adam.step()
        torchs.step()
    assert all(map(torch.equal, ours, theirs))


@BOTH
@some
@given(
    lr=st.floats(1e-4, 1.0),
    betas=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
    eps=st.floats(1e-10, 1e-1),
    gradients=st.lists(st.floats(-100, 100), min_size=1, max_size=20),
)
def test_steps_are_algorithm_1_of_the_paper(
    fused: bool, lr: float, betas: tuple[float, float], eps: float, gradients: list[float]
) -> None:
    theta, m, v = 1.0, 0.0, 0.0
    parameter = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    adam = Adam([parameter], lr=lr, betas=betas, eps=eps, fused=fused)
    for t, g in enumerate(gradients, start=1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
        theta -= lr * m_hat / (math.sqrt(v_hat) + eps)
        parameter.grad = torch.tensor([g], dtype=torch.float64)
        adam.step()
        # Rounding, of which m loses some when gradients cancel.
        assert parameter.item() == pytest.approx(theta, rel=1e-9, abs=1e-9)


@BOTH
def test_first_step_has_its_closed_form(fused: bool) -> None:
    (theta,) = leaves((50,))
    before = theta.detach().clone()
    feed([theta], 3)
    g = theta.grad.clone()
    Adam([theta], lr=0.01, eps=1e-3, fused=fused).step()
    expected = before - 0.01 * g / (g.abs() + 1e-3)
    torch.testing.assert_close(theta.detach(), expected, rtol=1e-14, atol=1e-15)


@BOTH
def test_with_a_constant_gradient_every_step_is_as_the_first(fused: bool) -> None:
    g = torch.tensor([2.0, -0.5, 1e-6], dtype=torch.float64)
    theta = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    adam = Adam([theta], lr=0.1, eps=1e-6, fused=fused)
    for t in range(1, 101):
        theta.grad = g.clone()
        adam.step()
        # m_hat = g and v_hat = g^2 at every t.
        expected = -0.1 * t * g / (g.abs() + 1e-6)
        torch.testing.assert_close(theta.detach(), expected, rtol=1e-11, atol=0)


@BOTH
def test_eps_stands_outside_the_bias_correction(fused: bool) -> None:
    def first_step(g: float) -> float:
        theta = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        theta.grad = torch.tensor([g], dtype=torch.float64)
        Adam([theta], lr=1.0, eps=1e-8, fused=fused).step()
        return -theta.item()

    def with_eps_hat(g: float) -> float:
        return g / (g + 1e-8 / math.sqrt(1 - 0.999))

    assert first_step(1e-8) == pytest.approx(0.5, rel=1e-12)
    assert with_eps_hat(1e-8) == pytest.approx(0.0307, rel=1e-2)
    # Where eps rules, TensorFlow's older form takes a step smaller by 1/sqrt(1 - beta2).
    ratio = first_step(1e-14) / with_eps_hat(1e-14)
    assert ratio == pytest.approx(1 / math.sqrt(1 - 0.999), rel=1e-5)
    assert round(ratio, 1) == 31.6


@BOTH
def test_reaches_the_minimum_of_a_parabola(fused: bool) -> None:
    minimum = torch.tensor([3.0, -2.0, 0.5], dtype=torch.float64)
    theta = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    adam = Adam([theta], lr=0.05, fused=fused)
    for _ in range(1000):
        adam.zero_grad()
        (theta - minimum).square().sum().backward()
        adam.step()
    torch.testing.assert_close(theta.detach(), minimum, rtol=0, atol=1e-6)


@BOTH
def test_reaches_the_minimum_of_rosenbrocks_valley(fused: bool) -> None:
    theta = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    adam = Adam([theta], lr=0.02, fused=fused)
    for _ in range(4000):
        x, y = theta.detach().tolist()
        slope = [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)]
        theta.grad = torch.tensor(slope, dtype=torch.float64)
        adam.step()
    torch.testing.assert_close(theta.detach(), torch.ones_like(theta), rtol=0, atol=1e-4)


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_memory_and_eps_a_step_is_exactly_the_sign(dtype: torch.dtype, fused: bool) -> None:
    (theta,) = leaves((97,), dtype=dtype)
    adam = Adam([theta], lr=0.125, betas=(0.0, 0.0), eps=0.0, fused=fused)
    for step in range(5):
        feed([theta], step)
        expected = theta.detach() - 0.125 * theta.grad.sign()
        adam.step()
        assert torch.equal(theta.detach(), expected)


@BOTH
def test_a_learning_rate_of_zero_leaves_every_bit(fused: bool) -> None:
    parameters = leaves(*SHAPES, dtype=torch.float32)
    before = [parameter.detach().clone() for parameter in parameters]
    for decoupled in (False, True):
        adam = Adam(
            parameters, lr=0.0, weight_decay=0.5, decoupled_weight_decay=decoupled, fused=fused
        )
        for step in range(10):
            feed(parameters, step)
            adam.step()
    assert all(map(torch.equal, parameters, before))


@BOTH
def test_a_gradient_of_zero_leaves_every_bit(fused: bool) -> None:
    (theta,) = leaves((9,), dtype=torch.float32)
    before = theta.detach().clone()
    theta.grad = torch.zeros_like(theta)
    adam = Adam([theta], fused=fused)
    adam.step()
    adam.step()
    assert torch.equal(theta.detach(), before)


@BOTH
def test_decoupled_decay_shrinks_weights_that_have_no_slope(fused: bool) -> None:
    theta = torch.ones(3, dtype=torch.float64, requires_grad=True)
    theta.grad = torch.zeros_like(theta)
    adam = Adam([theta], lr=0.1, weight_decay=0.5, decoupled_weight_decay=True, fused=fused)
    for _ in range(3):
        adam.step()
    torch.testing.assert_close(theta.detach(), torch.full_like(theta, 0.95**3), rtol=1e-14, atol=0)


# Parameter groups


def rows_of(runs: int) -> list[list[Tensor]]:
    """Return parameters of each run."""
    return [leaves((5, 3), (5,), seed=run, dtype=torch.float32) for run in range(runs)]


NUMBERS = [
    {"lr": 0.1},
    {"lr": 1e-3, "betas": (0.5, 0.99), "eps": 1e-4},
    {"lr": 0.01, "weight_decay": 0.1},
    {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True},
]


@BOTH
def test_a_groups_update_has_the_bits_it_has_without_the_other_groups(fused: bool) -> None:
    together = rows_of(4)
    groups = [{"params": rows, **numbers} for rows, numbers in zip(together, NUMBERS, strict=True)]
    adam = Adam(groups, fused=fused)
    for step in range(20):
        for run, rows in enumerate(together):
            feed(rows, step, seed=run)
        adam.step()
    for run, rows in enumerate(together):
        alone = rows_of(4)[run]
        single = Adam(alone, **NUMBERS[run], fused=fused)
        for step in range(20):
            feed(alone, step, seed=run)
            single.step()
        assert all(map(torch.equal, rows, alone))


@BOTH
def test_a_group_of_nan_changes_no_bit_of_the_others(fused: bool) -> None:
    results = []
    for bad in (False, True):
        rows = rows_of(3)
        adam = Adam([{"params": each} for each in rows], lr=0.01, fused=fused)
        for step in range(5):
            for run, each in enumerate(rows):
                feed(each, step, seed=run)
            if bad:
                rows[1][0].grad.fill_(torch.nan)
            adam.step()
        results.append(rows)
    sound, spoilt = results
    assert spoilt[1][0].isnan().all()
    for run in (0, 2):
        assert all(map(torch.equal, sound[run], spoilt[run]))


@BOTH
def test_a_parameter_without_a_gradient_is_untouched_and_has_no_state(fused: bool) -> None:
    parameters = leaves((3,), (4,))
    before = parameters[1].detach().clone()
    adam = Adam(parameters, lr=0.1, weight_decay=0.1, fused=fused)
    feed(parameters[:1], 0)
    adam.step()
    assert torch.equal(parameters[1].detach(), before)
    assert parameters[1] not in adam.state
    assert adam.state[parameters[0]]["step"] == 1


@BOTH
def test_a_group_may_mix_types_and_memory_layouts(fused: bool) -> None:
    start = torch.arange(12.0).reshape(3, 4)
    mixed = [start.clone(), start.double(), start.T.clone().T]
    for parameter in mixed:
        parameter.requires_grad_()
    adam = Adam(mixed, lr=0.1, fused=fused)
    for step in range(3):
        for parameter in mixed:
            parameter.grad = (start + step).to(parameter.dtype)
        adam.step()
    for parameter in mixed[1:]:
        # The numbers are those of float32, to a few roundings.
        torch.testing.assert_close(parameter.float(), mixed[0], rtol=1e-6, atol=1e-6)


# What any torch optimizer does


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_saved_and_loaded_in_between_gives_the_bits_of_never_stopping(
    dtype: torch.dtype, fused: bool
) -> None:
    def make(parameters: list[Tensor]) -> Adam:
        # The second group's numbers come from the saved state, not from here.
        return Adam([{"params": parameters[:2]}, {"params": parameters[2:]}], fused=fused)

    def train(adam: Adam, parameters: list[Tensor], steps: range) -> None:
        for step in steps:
            feed(parameters, step)
            adam.step()

    through = leaves(*SHAPES, dtype=dtype)
    adam = make(through)
    adam.param_groups[1].update(lr=0.05, betas=(0.8, 0.9), weight_decay=0.01)
    train(adam, through, range(10))
    file = io.BytesIO()
    torch.save({"adam": adam.state_dict(), "parameters": through}, file)
    train(adam, through, range(10, 20))

    file.seek(0)
    content = torch.load(file, weights_only=True)
    resumed = [parameter.detach().requires_grad_() for parameter in content["parameters"]]
    again = make(resumed)
    again.load_state_dict(content["adam"])
    train(again, resumed, range(10, 20))
    assert again.param_groups[1]["lr"] == 0.05
    assert all(map(torch.equal, through, resumed))


@BOTH
def test_a_closure_is_evaluated_with_gradients_and_its_loss_returned(fused: bool) -> None:
    theta = torch.tensor([3.0], requires_grad=True)
    adam = Adam([theta], lr=0.1, fused=fused)

    def closure() -> float:
        adam.zero_grad()
        loss = theta.square().sum()
        loss.backward()
        return loss.item()

    with torch.no_grad():
        losses = [adam.step(closure) for _ in range(3)]
    assert losses[0] == 9.0
    assert losses == sorted(losses, reverse=True)
    theta.grad = None
    assert adam.step() is None


SCHEDULERS = {
    "StepLR": lambda adam: lr_scheduler.StepLR(adam, step_size=3, gamma=0.5),
    "LambdaLR": lambda adam: lr_scheduler.LambdaLR(adam, lambda step: 1 / (1 + step)),
    "ReduceLROnPlateau": lambda adam: lr_scheduler.ReduceLROnPlateau(adam, patience=2, factor=0.1),
    "OneCycleLR": lambda adam: lr_scheduler.OneCycleLR(adam, max_lr=0.1, total_steps=30),
}


@BOTH
@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_schedulers_change_the_learning_rate_as_they_do_torchs(name: str, fused: bool) -> None:
    results, rates = [], []
    for make in (lambda p: Adam(p, lr=0.1, fused=fused), lambda p: torch.optim.Adam(p, lr=0.1)):
        parameters = leaves(*SHAPES)
        adam = make(parameters)
        scheduler = SCHEDULERS[name](adam)
        rates.append([])
        for step in range(20):
            feed(parameters, step)
            adam.step()
            scheduler.step(*([1.0] if name == "ReduceLROnPlateau" else []))
            rates[-1].append(adam.param_groups[0]["lr"])
        results.append(parameters)
    assert rates[0] == rates[1]
    assert len(set(rates[0])) > 2
    assert max(map(relative, *results)) < 1e-13


@BOTH
def test_sparse_gradients_are_refused_and_change_nothing(fused: bool) -> None:
    embedding = nn.Embedding(5, 2, sparse=True)
    before = embedding.weight.detach().clone()
    embedding(torch.tensor([1, 3])).sum().backward()
    adam = Adam(embedding.parameters(), fused=fused)
    with pytest.raises(RuntimeError, match="sparse"):
        adam.step()
    assert torch.equal(embedding.weight.detach(), before)


BAD_NUMBERS = [
    {"lr": -1.0},
    {"lr": math.nan},
    {"eps": -1e-8},
    {"eps": math.nan},
    {"betas": (1.0, 0.9)},
    {"betas": (0.9, 1.0)},
    {"betas": (-0.1, 0.9)},
    {"betas": (0.9, math.nan)},
    {"weight_decay": -1.0},
    {"weight_decay": math.nan},
]


@pytest.mark.parametrize("bad", BAD_NUMBERS, ids=str)
def test_numbers_that_torch_refuses_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"(?i)invalid"):
        torch.optim.Adam(leaves((3,)), **bad)
    (name,) = bad
    with pytest.raises(ValueError, match=f"{name}: expected"):
        Adam(leaves((3,)), **bad)
    with pytest.raises(ValueError, match=f"{name}: expected"):
        Adam([{"params": leaves((3,)), **bad}])  # a run's own


def test_an_infinite_learning_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="lr: expected"):
        Adam(leaves((3,)), lr=math.inf)


def test_no_parameters_and_parameters_given_twice_are_refused_by_torch() -> None:
    with pytest.raises(ValueError, match="empty parameter list"):
        Adam([])
    (theta,) = leaves((3,))
    with pytest.raises(ValueError, match="more than one parameter group"):
        Adam([{"params": [theta]}, {"params": [theta]}])


# How tensors lie in memory


def plain(z: Tensor) -> Tensor:
    return z.clone()


def transposed(z: Tensor) -> Tensor:
    return z.mT.contiguous().mT


def with_gaps(z: Tensor) -> Tensor:
    return torch.stack([z, torch.full_like(z, 7)], -1)[..., 0]


def rows_with_gaps(z: Tensor) -> Tensor:
    wider = torch.full((*z.shape[:-1], z.shape[-1] + 3), 7, dtype=z.dtype)
    wider[..., : z.shape[-1]] = z
    return wider[..., : z.shape[-1]]


def shifted(z: Tensor) -> Tensor:
    return torch.cat([torch.full((1,), 7, dtype=z.dtype), z.flatten()])[1:].view(z.shape)


LAYOUTS = [plain, transposed, with_gaps, rows_with_gaps, shifted]
layouts = st.sampled_from(LAYOUTS)
sizes = st.lists(st.integers(1, 5), min_size=2, max_size=3)


def around(tensor: Tensor) -> Tensor:
    """Return what lies in a tensor's storage beside its own numbers."""
    whole = torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage())
    own = torch.zeros(len(whole), dtype=torch.bool)
    own.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset()).fill_(True)
    return whole[~own]


@BOTH
@some
@given(shapes=st.lists(sizes, min_size=1, max_size=3), data=st.data())
def test_a_step_is_the_same_however_tensors_lie_in_memory(
    fused: bool, shapes: list[list[int]], data: st.DataObject
) -> None:
    expected = leaves(*map(tuple, shapes))
    found = [data.draw(layouts)(theta.detach()).requires_grad_() for theta in expected]
    beside = [around(theta.detach()) for theta in found]
    straight, other = (
        Adam(each, lr=0.1, weight_decay=0.1, fused=fused) for each in (expected, found)
    )
    ways = [data.draw(layouts) for _ in found]
    for step in range(5):
        feed(expected, step)
        for theta, mine, way in zip(expected, found, ways, strict=True):
            mine.grad = way(theta.grad)
        straight.step()
        other.step()
    for theta, mine, neighbours in zip(expected, found, beside, strict=True):
        torch.testing.assert_close(mine.detach(), theta.detach(), rtol=1e-13, atol=1e-13)
        assert torch.equal(around(mine.detach()), neighbours)


def test_a_stack_trains_by_autograd_as_with_torchs_adam() -> None:
    x = torch.randn(4, 32, 20, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(32) % 10
    losses = []
    for make in (study.Adam, torch.optim.Adam):
        stack = study.StackedMLP(4, [20, 30, 10])
        adam = make(stack.parameters(), lr=0.01)
        for _ in range(100):
            adam.zero_grad()
            each = fused_cross_entropy(stack(x), labels.expand(4, -1))
            each.sum().backward()
            adam.step()
        losses.append(each.detach())
    torch.testing.assert_close(*losses, rtol=1e-3, atol=1e-5)
    assert losses[0].max() < 0.2  # log 10 is where they start


def test_a_gradient_built_as_a_transposed_product_is_read_in_its_own_order() -> None:
    d, x = (torch.randn(8, n, generator=torch.Generator().manual_seed(n)) for n in (3, 5))
    thetas = [torch.zeros(3, 5), torch.zeros(3, 5)]
    gradients = [(x.T @ d).T, (x.T @ d).T.contiguous()]
    for theta, g in zip(thetas, gradients, strict=True):
        adam = Adam([theta], lr=0.1)
        adam.update(adam.param_groups, [[g]])
    # A first step is lr towards -sign(g) wherever g is far above eps.
    torch.testing.assert_close(thetas[0], -0.1 * gradients[0].sign(), rtol=1e-5, atol=0)
    torch.testing.assert_close(*thetas, rtol=1e-6, atol=0)


def test_an_expanded_gradient_is_one_number_everywhere() -> None:
    theta = torch.zeros(1000, 7, requires_grad=True)
    theta.sum().backward()
    assert theta.grad is not None
    theta.grad = torch.tensor(2.0).expand(1000, 7)
    Adam([theta], lr=0.1).step()
    torch.testing.assert_close(theta.detach(), torch.full((1000, 7), -0.1))


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("layout", [plain, transposed, shifted])
def test_dense_tensors_have_the_bits_of_torchs_kernel_whatever_their_order_and_company(
    layout: Any, decoupled: bool
) -> None:
    numbers = {"lr": 0.01, "weight_decay": 0.1}
    start = [theta.detach().float() for theta in leaves((6, 5), (2, 3, 4), (9, 1))]
    ours, theirs = ([layout(theta).requires_grad_() for theta in start] for _ in range(2))
    gapped = with_gaps(start[0]).requires_grad_()
    adam = Adam([*ours, gapped], **numbers, decoupled_weight_decay=decoupled)
    reference = torch.optim.AdamW if decoupled else torch.optim.Adam
    torchs = reference(theirs, **numbers, fused=True)
    for step in range(20):
        feed([*ours, gapped], step)
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = layout(mine.grad)
            other.grad = layout(mine.grad)
        adam.step()
        torchs.step()
    assert all(map(torch.equal, ours, theirs))
    assert all(adam.state[mine]["m"].stride() == mine.stride() for mine in ours)


def test_a_gradient_of_another_shape_is_refused_and_changes_nothing() -> None:
    rows = [torch.zeros(2, 3), torch.zeros(3)]
    adam = Adam(rows)
    for bad in (torch.ones(3, 2), torch.ones(3), torch.ones(1)):
        with pytest.raises(ValueError, match=r"gradient: expected shape \(2, 3\), found"):
            adam.update(adam.param_groups, [[bad, torch.ones(3)]])
    assert not any(row.any() for row in rows)


# The inputs that torch tests its own Adam with

(INFO,) = (each for each in optim_db if each.optim_cls is torch.optim.Adam)
DTYPES = [
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.complex64, torch.complex128),
]
INPUTS = [
    (dtype, each.kwargs)
    for dtype in DTYPES
    for each in INFO.optim_inputs_func(device="cpu", dtype=dtype)
]
OFFERED = [each for each in INPUTS if not {"maximize", "amsgrad"} & {*each[1]}]


@BOTH
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("dtype", "numbers"), OFFERED, ids=str)
def test_torchs_own_inputs_give_torchs_own_updates(
    dtype: torch.dtype, numbers: dict[str, Any], layout: Any, fused: bool
) -> None:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        wide = torch.complex128 if dtype.is_complex else torch.float64
        return torch.randn(shape, generator=generator, dtype=wide).to(dtype)

    start = [normal(10, 5), normal(3, 4, 2), normal(10, 1)]
    ours = [layout(theta).requires_grad_() for theta in start]
    theirs = [theta.clone().requires_grad_() for theta in start]
    adam = Adam(ours, **numbers, fused=fused)
    torchs = torch.optim.Adam(theirs, **numbers, foreach=False)
    for step in range(5):
        for mine, other in zip(ours, theirs, strict=True):
            other.grad = normal(*other.shape) / (1 + step)
            mine.grad = layout(other.grad)
        adam.step()
        torchs.step()
    # Five steps, each rounded once or twice to the parameters' own type.
    near = 8 * torch.finfo(dtype).eps
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.detach(), other.detach(), rtol=near, atol=near)


def test_torchs_inputs_hold_numbers_and_options() -> None:
    assert len(OFFERED) >= 3 * len(DTYPES)
    assert len(INPUTS) - len(OFFERED) >= 2 * len(DTYPES)


@pytest.mark.parametrize(
    ("dtype", "numbers"), [each for each in INPUTS if each not in OFFERED], ids=str
)
def test_torchs_inputs_with_options_that_are_not_offered_are_refused(
    dtype: torch.dtype, numbers: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        Adam(leaves((3,), dtype=dtype), **numbers)
    with pytest.raises(TypeError, match=r"(maximize|amsgrad): expected one of lr, betas"):
        Adam([{"params": leaves((3,), dtype=dtype), **numbers}])


@BOTH
def test_numbers_may_be_tensors_as_they_may_for_torch(fused: bool) -> None:
    ours, theirs = leaves(*SHAPES), leaves(*SHAPES)
    numbers = {"lr": torch.tensor(0.01), "betas": (torch.tensor(0.8), torch.tensor(0.9))}
    adam, torchs = Adam(ours, **numbers, fused=fused), torch.optim.Adam(theirs, **numbers)
    for step in range(5):
        feed(ours, step)
        feed(theirs, step)
        adam.step()
        torchs.step()
    # torch takes powers of a beta that is a tensor in the tensor's own single precision.
    assert max(map(relative, ours, theirs)) < 1e-8
    with pytest.raises(ValueError, match="lr: expected a number"):
        Adam(leaves((3,)), lr=torch.tensor([0.001, 0.001]))


@BOTH
def test_groups_are_updated_together_only_if_their_rates_are_equal_in_every_digit(
    fused: bool,
) -> None:
    # Both are shown as 0.0100.
    rates = [torch.tensor(0.01), torch.tensor(0.010001)]
    rows = [torch.zeros(1, dtype=torch.float64) for _ in rates]
    groups = [{"params": [row], "lr": rate} for row, rate in zip(rows, rates, strict=True)]
    adam = Adam(groups, fused=fused)
    adam.update(adam.param_groups, [[torch.ones(1, dtype=torch.float64)] for _ in rows])
    for row, rate in zip(rows, rates, strict=True):
        assert row.item() == pytest.approx(-rate.item(), rel=1e-7)


# Complex numbers


@BOTH
def test_a_complex_parameter_is_updated_as_its_real_and_imaginary_parts(fused: bool) -> None:
    (z,) = leaves((4, 3), dtype=torch.complex128)
    parts = torch.view_as_real(z.detach()).clone().requires_grad_()
    complex_, real = (Adam([each], lr=0.1, weight_decay=0.1, fused=fused) for each in (z, parts))
    for step in range(10):
        feed([parts], step)
        z.grad = torch.view_as_complex(parts.grad).conj().resolve_conj().conj()
        assert z.grad.is_conj()
        complex_.step()
        real.step()
    assert torch.equal(torch.view_as_real(z.detach()), parts.detach())


# Options of other optimizers, and their states


@pytest.mark.parametrize(
    "option", ["maximize", "amsgrad", "capturable", "foreach", "differentiable"]
)
@pytest.mark.parametrize("value", [False, True])
def test_a_group_with_an_option_that_adam_does_not_have_is_refused(
    option: str, value: bool
) -> None:
    with pytest.raises(TypeError, match=option):
        Adam(leaves((3,)), **{option: value})
    with pytest.raises(TypeError, match=f"^{option}: expected one of lr, betas"):
        Adam([{"params": leaves((3,)), option: value}])
    adam = Adam(leaves((3,)))
    with pytest.raises(TypeError, match=f"^{option}: expected one of lr, betas"):
        adam.add_param_group({"params": leaves((3,)), option: value})
    assert len(adam.param_groups) == 1


def test_a_misspelt_option_of_a_group_is_refused_with_the_nearest() -> None:
    with pytest.raises(TypeError, match="did you mean 'weight_decay'"):
        Adam([{"params": leaves((3,)), "weigth_decay": 0.1}])


def test_a_group_may_have_a_name_and_what_schedulers_write() -> None:
    named = [("weight", leaves((3,))[0])]
    adam = Adam([{"params": named, "name": "head", "initial_lr": 0.1}], lr=0.1)
    lr_scheduler.OneCycleLR(adam, max_lr=0.1, total_steps=30)
    again = Adam(leaves((3,)))
    again.load_state_dict(adam.state_dict())
    assert again.param_groups[0]["name"] == "head"
    assert again.param_groups[0]["max_lr"] == 0.1


@BOTH
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_the_state_of_torchs_adam_is_taken_over(dtype: torch.dtype, fused: bool) -> None:
    theirs = leaves(*SHAPES, dtype=dtype)
    torchs = torch.optim.Adam(theirs, lr=0.05, betas=(0.8, 0.99), weight_decay=0.1)
    for step in range(5):
        feed(theirs, step)
        torchs.step()
    ours = [theta.detach().clone().requires_grad_() for theta in theirs]
    adam = Adam(ours, fused=not fused)
    saved = copy.deepcopy(torchs.state_dict())  # loading shares tensors
    saved["param_groups"][0]["fused"] = fused
    adam.load_state_dict(saved)
    assert "exp_avg" in saved["state"][0]  # the saved state is not changed
    for step in range(5, 10):
        feed(ours, step)
        feed(theirs, step)
        adam.step()
        torchs.step()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)


def after_a_step(make: Any, **numbers: Any) -> dict[str, Any]:
    """Return the state of an optimizer that has taken a step."""
    thetas = leaves((3,))
    optimizer = make(thetas, **numbers)
    feed(thetas, 0)
    optimizer.step()
    return optimizer.state_dict()


@pytest.mark.parametrize(
    ("make", "numbers", "complaint"),
    [
        (torch.optim.SGD, {"lr": 0.1}, "without betas, eps"),
        (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}, "without betas, eps"),
        (torch.optim.RMSprop, {}, "without betas"),
        (torch.optim.Adamax, {}, "exp_inf"),
        (torch.optim.NAdam, {}, "mu_product"),
        (torch.optim.Adam, {"amsgrad": True}, "amsgrad to be off"),
        (torch.optim.Adam, {"maximize": True}, "maximize to be off"),
    ],
)
def test_the_state_of_another_optimizer_is_refused_and_changes_nothing(
    make: Any, numbers: dict[str, Any], complaint: str
) -> None:
    thetas = leaves((3,))
    adam = Adam(thetas, lr=0.3)
    feed(thetas, 0)
    adam.step()
    before = copy.deepcopy(adam.state_dict())
    with pytest.raises(ValueError, match=complaint):
        adam.load_state_dict(after_a_step(make, **numbers))
    assert adam.param_groups[0]["lr"] == 0.3
    assert str(adam.state_dict()) == str(before)
    adam.step()


def test_a_state_of_parameters_of_another_shape_is_refused() -> None:
    adam = Adam(leaves((4,)))
    with pytest.raises(ValueError, match=r"'m': \(4,\).*found.*'m': \(3,\)"):
        adam.load_state_dict(after_a_step(Adam))


def test_options_that_a_saved_state_lacks_are_the_optimizers_own() -> None:
    saved = after_a_step(Adam, lr=0.2)
    for name in ("fused", "decoupled_weight_decay"):
        del saved["param_groups"][0][name]
    thetas = leaves((3,))
    adam = Adam(thetas, fused=False, decoupled_weight_decay=True)
    adam.load_state_dict(saved)
    assert adam.param_groups[0]["lr"] == 0.2
    assert adam.param_groups[0]["decoupled_weight_decay"]
    assert not adam.param_groups[0]["fused"]
    feed(thetas, 1)
    adam.step()


def test_a_loaded_optimizer_can_be_saved_extended_copied_and_loaded_again() -> None:
    adam = Adam(leaves((3,)))
    adam.load_state_dict(after_a_step(Adam))
    adam.add_param_group({"params": leaves((2,))})
    again = Adam([{"params": leaves((3,))}, {"params": leaves((2,))}])
    again.load_state_dict(adam.state_dict())
    twin = copy.deepcopy(again)
    assert str(twin.state_dict()) == str(adam.state_dict())


# Compiled


@BOTH
def test_a_compiled_step_has_the_bits_of_one_that_is_not(fused: bool) -> None:
    torch.compiler.reset()
    results = []
    for compiled in (False, True):
        parameters = leaves((4, 3), (7,), dtype=torch.float32)
        adam = Adam(parameters, lr=0.1, fused=fused)
        step = torch.compile(adam.step) if compiled else adam.step
        for number in range(5):
            feed(parameters, number)
            step()
        assert adam.state[parameters[0]]["step"] == 5
        results.append(parameters)
    assert all(map(torch.equal, *results))
