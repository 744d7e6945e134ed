"""Adam: Algorithm 1 of Kingma & Ba (2015), in the paper's letters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT


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
        Let torch's fused kernel do the update, the same arithmetic in one pass over memory, where
        it can (real numbers on CPU or CUDA). False: the lines above, one operation each.

    Raises
    ------
    ValueError
        A number out of its range.
    RuntimeError
        A sparse gradient.

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
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
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
        """Add a group, its numbers checked."""
        numbers = {**self.defaults, **param_group}
        for name in ("lr", "eps", "weight_decay"):
            if not 0.0 <= numbers[name] < math.inf:
                raise ValueError(f"{name}: expected a number of at least 0, found {numbers[name]}")
        for beta in numbers["betas"]:
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"betas: expected numbers in [0, 1), found {numbers['betas']}")
        super().add_param_group(param_group)

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
        alike: dict[str, list[int]] = {}
        for index, group in enumerate(groups):
            numbers = {name: value for name, value in group.items() if name != "params"}
            alike.setdefault(repr(numbers), []).append(index)
        for indices in alike.values():
            thetas = [theta for index in indices for theta in groups[index]["params"]]
            theirs = [gradient for index in indices for gradient in gradients[index]]
            self._update(thetas, theirs, groups[indices[0]])

    def _update(self, thetas: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
        if any(g.is_sparse for g in gradients):
            raise RuntimeError("Adam does not support sparse gradients")
        states = [self._state_of(theta) for theta in thetas]
        kernel = group["fused"] and all(
            theta.is_floating_point() and theta.device.type in ("cpu", "cuda") for theta in thetas
        )
        (_fused_update if kernel else _written_update)(thetas, gradients, states, group)

    def _state_of(self, theta: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[theta]
        if not state:
            # The paper's t, under the one name that torch does not cast to the weights' type.
            state["step"] = torch.zeros((), dtype=torch.float32, device=theta.device)
            state["m"] = torch.zeros_like(theta, memory_format=torch.preserve_format)
            state["v"] = torch.zeros_like(theta, memory_format=torch.preserve_format)
        return state


def _fused_update(
    thetas: list[Tensor],
    gradients: list[Tensor],
    states: Sequence[dict[str, Tensor]],
    group: dict[str, Any],
) -> None:
    kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
    ts = [state["step"] for state in states]
    torch._foreach_add_(ts, 1)
    beta1, beta2 = group["betas"]
    kernel(
        thetas,
        gradients,
        [state["m"] for state in states],
        [state["v"] for state in states],
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


def _written_update(
    thetas: list[Tensor],
    gradients: list[Tensor],
    states: Sequence[dict[str, Tensor]],
    group: dict[str, Any],
) -> None:
    lr, (beta1, beta2), eps = group["lr"], group["betas"], group["eps"]
    decay = group["weight_decay"]
    for theta, g, state in zip(thetas, gradients, states, strict=True):
        m, v = state["m"], state["v"]
        state["step"] += 1
        t = state["step"].item()
        if decay and group["decoupled_weight_decay"]:
            theta.mul_(1 - lr * decay)
        elif decay:
            g = g.add(theta, alpha=decay)
        m.mul_(beta1).add_(g, alpha=1 - beta1)
        v.mul_(beta2).addcmul_(g, g.conj(), value=1 - beta2)
        root_v_hat = v.sqrt().div_(math.sqrt(1 - beta2**t))
        theta.addcdiv_(m, root_v_hat.add_(eps), value=-lr / (1 - beta1**t))


# The names that configs may give, besides the paths of torch's own classes.
OPTIMIZERS = {"study.Adam": Adam}
