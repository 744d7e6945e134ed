"""Adam: Algorithm 1 of Kingma & Ba (2015), in the paper's letters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._compile import _disable_dynamo
from torch.optim.optimizer import Optimizer, ParamsT

from study.nn.adam_checks import (
    OPTIONS,
    complete_group,
    complete_state,
    refuse_bad_numbers,
    refuse_unknown_options,
)


class _Entry(NamedTuple):
    """A parameter, its gradient and its optimizer state, all as tensors of real numbers."""

    theta: Tensor
    g: Tensor
    m: Tensor
    v: Tensor
    t: Tensor


class Adam(Optimizer):
    r"""Adam (Kingma & Ba, 2015, Algorithm 1).

    With g the gradient, at step t:

        m = beta1 m + (1 - beta1) g        m_hat = m / (1 - beta1^t)
        v = beta2 v + (1 - beta2) g^2      v_hat = v / (1 - beta2^t)
        theta = theta - lr m_hat / (sqrt(v_hat) + eps)

    eps is added outside the bias correction, as in the paper and in PyTorch. TensorFlow's older
    form adds eps inside the bias correction. At the first step this has the effect of an eps that
    is 1/sqrt(1 - beta2) = 31.6 times as large.

    Parameters
    ----------
    params
        Parameters or groups, as for any torch optimizer.
    lr, betas, eps
        The paper's alpha, (beta1, beta2) and epsilon.
    weight_decay
        Strength of weight decay.
    decoupled_weight_decay
        Subtract the decay from the weights (Loshchilov & Hutter, 2019). By default the decay is
        added to the gradient (L2).
    fused
        Use torch's fused kernel, which does the same arithmetic in one pass over memory. The kernel
        updates a parameter on CPU or CUDA if the parameter, its gradient and its moments are dense
        and have equal strides. All other parameters are updated by the equations above, one
        operation at a time. If False, the kernel is never used.

    Raises
    ------
    TypeError
        A group has an option that this Adam does not have, such as ``maximize``.
    ValueError
        A number is out of its range, or a loaded state is not one of Adam's.
    RuntimeError
        A gradient is sparse.

    Notes
    -----
    A complex parameter is updated as two real ones, as in torch's Adam: v holds the squares of the
    real part and of the imaginary part of g, not |g|^2.

    `torch.compile` leaves the update uncompiled, so compiled steps have the bits of ordinary ones.

    Examples
    --------
    >>> theta = torch.tensor([3.0], requires_grad=True)
    >>> adam = Adam([theta], lr=0.1)
    >>> theta.square().backward(); adam.step(); theta
    tensor([2.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = False,
        fused: bool = True,
    ) -> None:
        values = (lr, betas, eps, weight_decay, decoupled_weight_decay, fused)
        super().__init__(params, dict(zip(OPTIONS, values, strict=True)))

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Check a group's options and numbers, then add the group."""
        refuse_unknown_options(param_group)
        refuse_bad_numbers({**self.defaults, **param_group})
        super().add_param_group(param_group)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Check a saved state, add the options it lacks, then use it.

        The state of torch's Adam is accepted too: its moments are renamed.
        """
        for group in state["param_groups"]:
            complete_group(group, state.get("defaults") or self.defaults)
        for theta, own in state["state"].items():
            if isinstance(theta, Tensor) and own:
                complete_state(theta, own)
        super().__setstate__(state)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor | float] | None = None) -> Tensor | float | None:  # type: ignore[override]  # torch's own overloads allow this
        """Update every parameter with a gradient; a closure computes it and returns the loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            thetas = [theta for theta in group["params"] if theta.grad is not None]
            if thetas:
                self._update(thetas, [theta.grad for theta in thetas], group)
        return loss

    # Dynamo cannot trace the kernel, and compiled equations would round differently.
    @_disable_dynamo
    def _update(self, thetas: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
        fused: list[_Entry] = []
        written: list[_Entry] = []
        for theta, g in zip(thetas, gradients, strict=True):
            if g.layout is not torch.strided:
                raise RuntimeError("Adam does not support sparse gradients")
            entry = self._entry(theta, g)
            (fused if group["fused"] and _suits_kernel(entry) else written).append(entry)
        if fused:
            _fused_update(fused, group)
        if written:
            _written_update(written, group)

    def _entry(self, theta: Tensor, g: Tensor) -> _Entry:
        state: dict[str, Tensor] = self.state[theta]
        if not state:
            # This is the paper's t. torch casts loaded state to the parameters' type, but not the
            # entry named "step".
            state["step"] = torch.zeros((), dtype=torch.float32, device=theta.device)
            state["m"] = torch.zeros_like(theta, memory_format=torch.preserve_format)
            state["v"] = torch.zeros_like(theta, memory_format=torch.preserve_format)
        m, v = state["m"], state["v"]
        if theta.is_complex():
            theta, g, m, v = (torch.view_as_real(each.resolve_conj()) for each in (theta, g, m, v))
        return _Entry(theta, g, m, v, state["step"])


def _suits_kernel(entry: _Entry) -> bool:
    """Tell whether torch's fused kernel updates a parameter correctly.

    The kernel ignores strides, so it is correct only if all four tensors are dense and have equal
    strides.
    """
    theta, g, m, v, _ = entry
    if g.is_neg() or not (theta.is_cpu or theta.is_cuda):
        return False
    if theta.is_contiguous() and g.is_contiguous() and m.is_contiguous() and v.is_contiguous():
        return True
    dense: bool = torch.ops.aten.is_non_overlapping_and_dense(theta)
    return dense and len({_strides(each) for each in (theta, g, m, v)}) == 1


def _strides(tensor: Tensor) -> tuple[int, ...]:
    """Return the strides of all dimensions longer than 1; the others have no effect."""
    both = zip(tensor.stride(), tensor.shape, strict=True)
    return tuple(stride for stride, length in both if length != 1)


def _fused_update(entries: Sequence[_Entry], group: dict[str, Any]) -> None:
    kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
    thetas, gradients, ms, vs, ts = map(list, zip(*entries, strict=True))
    torch._foreach_add_(ts, 1)
    beta1, beta2 = map(float, group["betas"])
    kernel(
        *(thetas, gradients, ms, vs, [], ts),
        lr=group["lr"],
        beta1=beta1,
        beta2=beta2,
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        amsgrad=False,
        maximize=False,
    )


def _written_update(entries: Sequence[_Entry], group: dict[str, Any]) -> None:
    lr, eps, decay = float(group["lr"]), group["eps"], group["weight_decay"]
    beta1, beta2 = map(float, group["betas"])
    for theta, g, m, v, steps in entries:
        steps += 1
        t = steps.item()
        if decay and group["decoupled_weight_decay"]:
            theta.mul_(1 - lr * decay)
        elif decay:
            g = g.add(theta, alpha=decay)
        m.mul_(beta1).add_(g, alpha=1 - beta1)
        v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        root_v_hat = v.sqrt().div_(math.sqrt(1 - beta2**t))
        theta.addcdiv_(m, root_v_hat.add_(eps), value=-lr / (1 - beta1**t))


# The names that configs may give, besides the paths of torch's own classes.
OPTIMIZERS = {"study.Adam": Adam}
