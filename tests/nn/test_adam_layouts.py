"""Adam on tensors of every type and layout in memory, torch's own test inputs among them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from adam_cases import BOTH, feed, leaves, some
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing._internal.common_optimizers import optim_db

from study.nn.adam import Adam


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


def test_a_gradient_built_as_a_transposed_product_is_read_in_its_own_order() -> None:
    d, x = (torch.randn(8, n, generator=torch.Generator().manual_seed(n)) for n in (3, 5))
    thetas = [torch.zeros(3, 5), torch.zeros(3, 5)]
    gradients = [(x.T @ d).T, (x.T @ d).T.contiguous()]
    for theta, g in zip(thetas, gradients, strict=True):
        theta.grad = g
        Adam([theta], lr=0.1).step()
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
