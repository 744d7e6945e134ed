"""Adam: Algorithm 1 of Kingma & Ba (2015), in the paper's letters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._compile import _disable_dynamo
from torch.optim.optimizer import Optimizer, ParamsT

from study.checks import nearest

OPTIONS = ("lr", "betas", "eps", "weight_decay", "decoupled_weight_decay", "fused")
# Keys that torch and its schedulers write into groups, and the one that users label groups by.
LABELS = (
    *("params", "param_names", "name", "initial_lr", "swa_lr"),
    *("min_lr", "max_lr", "base_momentum", "max_momentum"),
)
# Options of torch's Adam that this one does not have: a saved state may carry them switched off.
NOT_OFFERED = ("amsgrad", "capturable", "differentiable", "foreach", "maximize")
TORCH_NAMES = {"exp_avg": "m", "exp_avg_sq": "v"}


class _Entry(NamedTuple):
    """One parameter, its gradient and its optimizer state, as tensors of real numbers."""

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

    eps stands outside the bias correction, as in the paper and in PyTorch; TensorFlow's older form
    put it inside, which at the first step is as an eps larger by 1/sqrt(1 - beta2), 31.6.

    Runs with numbers of their own are parameter groups: ``Adam([{"params": stack.rows(0), "lr":
    0.1}, {"params": stack.rows(1), "lr": 0.2}])``.

    Parameters
    ----------
    params
        Parameters or groups, as for any torch optimizer.
    lr, betas, eps
        The paper's alpha, (beta1, beta2) and epsilon.
    weight_decay
        Strength of weight decay: added to the gradient (L2) or, with ``decoupled_weight_decay``,
        taken off the weights (Loshchilov & Hutter, 2019).
    fused
        Let torch's fused kernel do the update, the same arithmetic in one pass over memory. The
        kernel is used on CPU and CUDA for every parameter that lies in memory without gaps, and
        whose gradient and moments lie there in the same order; all others are updated by the lines
        above, one operation each. False: no parameter is updated by the kernel.

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
    A complex number is two real parameters, as in torch's Adam: v holds the squares of the real
    and of the imaginary part of g, and not |g|^2.

    Under `torch.compile` the update itself is not compiled: it has the same bits as without.

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
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, its options and numbers checked."""
        for name in param_group:
            if name not in OPTIONS and name not in LABELS:
                hint = nearest(name, OPTIONS) or "remove it"
                raise TypeError(f"{name}: expected one of {', '.join(OPTIONS)}; {hint}")
        numbers = {**self.defaults, **param_group}
        for name in ("lr", "eps", "weight_decay"):
            value = numbers[name]
            if (isinstance(value, Tensor) and value.numel() != 1) or not 0.0 <= value < math.inf:
                raise ValueError(f"{name}: expected a number of at least 0, found {value}")
        for beta in numbers["betas"]:
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"betas: expected numbers in [0, 1), found {numbers['betas']}")
        super().add_param_group(param_group)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a saved state over, completed; torch's Adam names the moments otherwise."""
        defaults = state.get("defaults") or self.defaults
        for group in state["param_groups"]:
            _refuse_other_options(group)
            for name in OPTIONS:
                group.setdefault(name, defaults[name])
        for theta, own in state["state"].items():
            if isinstance(theta, Tensor) and own:
                for name in TORCH_NAMES.keys() & own.keys():
                    own[TORCH_NAMES[name]] = own.pop(name)
                _refuse_other_state(theta, own)
                # Where the kernel reads it, whatever the optimizer that saved it did.
                own["step"] = own["step"].to(theta.device, torch.float32)
        super().__setstate__(state)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor | float] | None = None) -> Tensor | float | None:  # type: ignore[override]  # torch's own overloads allow this
        """Update every parameter that has a gradient.

        Parameters
        ----------
        closure
            Evaluates the model again and returns the loss.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            thetas = [theta for theta in group["params"] if theta.grad is not None]
            if thetas:
                self._update(thetas, [theta.grad for theta in thetas], group)
        return loss

    @torch.no_grad()
    def update(
        self, groups: Sequence[dict[str, Any]], gradients: Sequence[Sequence[Tensor]]
    ) -> None:
        """Update some groups' parameters by gradients given here, in their order.

        For who has gradients at hand and wants them used before others are computed. Groups with
        the same numbers are updated together: on a GPU one kernel does them all.
        """
        if len(groups) == 1:
            self._update(groups[0]["params"], list(gradients[0]), groups[0])
            return
        alike: dict[tuple[float, ...], list[int]] = {}
        for index, group in enumerate(groups):
            alike.setdefault(_numbers(group), []).append(index)
        for indices in alike.values():
            thetas = [theta for index in indices for theta in groups[index]["params"]]
            theirs = [gradient for index in indices for gradient in gradients[index]]
            self._update(thetas, theirs, groups[indices[0]])

    @_disable_dynamo  # a traced kernel fails, and traced lines would round otherwise
    def _update(self, thetas: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
        fused: list[_Entry] = []
        written: list[_Entry] = []
        for theta, g in zip(thetas, gradients, strict=True):
            if g.layout is not torch.strided:
                raise RuntimeError("Adam does not support sparse gradients")
            if theta.shape != g.shape:
                raise ValueError(
                    f"gradient: expected shape {tuple(theta.shape)}, found {tuple(g.shape)}"
                )
            entry = self._entry(theta, g)
            (fused if group["fused"] and _suits_kernel(entry) else written).append(entry)
        if fused:
            _fused_update(fused, group)
        if written:
            _written_update(written, group)

    def _entry(self, theta: Tensor, g: Tensor) -> _Entry:
        state: dict[str, Tensor] = self.state[theta]
        if not state:
            # The paper's t, under the one name that torch does not cast to the weights' type.
            state["step"] = torch.zeros((), dtype=torch.float32, device=theta.device)
            state["m"] = torch.zeros_like(theta, memory_format=torch.preserve_format)
            state["v"] = torch.zeros_like(theta, memory_format=torch.preserve_format)
        m, v = state["m"], state["v"]
        if theta.is_complex():
            theta, g, m, v = (torch.view_as_real(each.resolve_conj()) for each in (theta, g, m, v))
        return _Entry(theta, g, m, v, state["step"])


def _refuse_other_options(group: dict[str, Any]) -> None:
    """Raise if a saved group is not one of Adam's, or has options in use that are not offered."""
    missing = [name for name in ("lr", "betas", "eps", "weight_decay") if name not in group]
    if missing:
        names = ", ".join(missing)
        raise ValueError(f"param_groups: expected Adam's options, found a group without {names}")
    for name in NOT_OFFERED:
        if group.get(name):
            raise ValueError(
                f"param_groups: expected {name} to be off, as study.Adam is without it, found on"
            )


def _refuse_other_state(theta: Tensor, state: dict[str, Any]) -> None:
    """Raise if a parameter's saved state is not one of Adam's for a parameter of that shape."""
    expected = {"step": (), "m": tuple(theta.shape), "v": tuple(theta.shape)}
    found = {name: tuple(getattr(value, "shape", ("no tensor",))) for name, value in state.items()}
    if found != expected:
        raise ValueError(f"state: expected tensors of the shapes {expected}, found {found}")


def _numbers(group: dict[str, Any]) -> tuple[float, ...]:
    """Return what an update depends on, as plain numbers."""
    others = [group[name] for name in OPTIONS if name != "betas"]
    return tuple(map(float, [*group["betas"], *others]))


def _suits_kernel(entry: _Entry) -> bool:
    """Tell whether torch's fused kernel may be used.

    The kernel passes through memory and looks at no strides: it is right only for tensors that lie
    there without gaps and overlaps, and all in the same order.
    """
    theta, g, m, v, _ = entry
    if g.is_neg() or not (theta.is_cpu or theta.is_cuda):
        return False
    if theta.is_contiguous() and g.is_contiguous() and m.is_contiguous() and v.is_contiguous():
        return True
    dense: bool = torch.ops.aten.is_non_overlapping_and_dense(theta)
    return dense and len({_strides(each) for each in (theta, g, m, v)}) == 1


def _strides(tensor: Tensor) -> tuple[int, ...]:
    """Return the strides that matter: a dimension of length 1 may have any."""
    both = zip(tensor.stride(), tensor.shape, strict=True)
    return tuple(stride for stride, length in both if length != 1)


def _fused_update(entries: Sequence[_Entry], group: dict[str, Any]) -> None:
    kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
    thetas, gradients, ms, vs, ts = map(list, zip(*entries, strict=True))
    torch._foreach_add_(ts, 1)
    beta1, beta2 = map(float, group["betas"])
    kernel(
        thetas,
        gradients,
        ms,
        vs,
        [],
        ts,
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
