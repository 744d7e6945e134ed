"""Softmax with a choice of the gradient that it sends back to the logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from study.base.names import BACKWARD
from study.nn.targets import lifted


@dataclass(frozen=True)
class BackwardRule:
    """How a gradient is sent back through softmax.

    Parameters
    ----------
    at_logits
        Returns the gradient at the logits, given g = dL/dp and p, both [*batch, classes]. The
        derived gradients call this function directly.
    softmax
        Returns p = softmax(z), differentiable by this rule. By default autograd calls
        ``at_logits``.
    fused
        Whether losses use their fused forms, which need no probabilities. A loss without a fused
        form uses ``at_logits``.

    Examples
    --------
    >>> negated = BackwardRule(lambda g, p: -g)
    >>> z = torch.zeros(2, requires_grad=True)
    >>> negated(z)[0].backward(); z.grad
    tensor([-1., -0.])
    """

    at_logits: Callable[[Tensor, Tensor], Tensor]
    softmax: Callable[[Tensor], Tensor] | None = None
    fused: bool = False

    def __call__(self, z: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch classes"]:
        """Return softmax(z), differentiable by this rule."""
        if self.softmax is not None:
            return self.softmax(z)
        return cast("Tensor", _Softmax.apply(z, self.at_logits))


def softmax(
    z: Float[Tensor, "*batch classes"], backward: str = "jacobian"
) -> Float[Tensor, "*batch classes"]:
    r"""Softmax over the last dimension, with a choice of gradient.

    With p = softmax(z) and the upstream gradient g = dL/dp, the gradient at the logits is

    - ``jacobian``: p * (g - <g, p>), the product of g and the derived Jacobian diag(p) - p p^T;
    - ``identity``: g, without the Jacobian;
    - ``clamped_0.01``, ``clamped_0.1``, ``clamped_0.5``: g * p / max(p, 0.01), and so on, without
      the Jacobian: cross-entropy's -y/p with p clamped, so that it is bounded;
    - ``autograd``: the result of PyTorch's own softmax backward.

    The fourth rule, ``fused``, works on logits and has no softmax: see `study.nn.losses`.

    Parameters
    ----------
    z
        Logits, with any number of leading dimensions.
    backward
        The name of the rule.

    Raises
    ------
    BadInput
        The rule is unknown.
    ValueError
        The rule is ``fused``.

    Examples
    --------
    >>> z = torch.zeros(2, requires_grad=True)
    >>> softmax(z, backward="identity")[0].backward(); z.grad
    tensor([1., 0.])
    >>> z.grad = None
    >>> softmax(z, backward="jacobian")[0].backward(); z.grad
    tensor([ 0.2500, -0.2500])
    """
    rule = BACKWARD.resolve_as(backward, "backward", BackwardRule)
    if rule.fused:
        raise ValueError(
            f"backward: {backward!r} has no softmax of its own: give the logits to "
            "study.nn.losses.fused_cross_entropy or fused_squared_error"
        )
    return rule(z)


def probabilities(z: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch classes"]:
    """Return softmax(z) for gradients that are derived by hand.

    Examples
    --------
    >>> probabilities(torch.zeros(1, 2))
    tensor([[0.5000, 0.5000]])
    """
    # torch.softmax over a last dimension of 10 takes four times as long as over a leading one, so
    # the tensor is transposed first.
    return torch.softmax(z.mT.contiguous(), -2).mT


def through_jacobian(
    g: Float[Tensor, "*batch classes"], p: Float[Tensor, "*batch classes"]
) -> Float[Tensor, "*batch classes"]:
    """Return p * (g - <g, p>), the Jacobian of softmax times g, without building the Jacobian."""
    return p * (g - (g * p).sum(-1, keepdim=True))


def softmax_jacobian(p: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch classes classes"]:
    """Return the full Jacobian of softmax at p = softmax(z), delta_ik p_i - p_i p_k.

    Examples
    --------
    >>> softmax_jacobian(torch.tensor([0.5, 0.5]))
    tensor([[ 0.2500, -0.2500],
            [-0.2500,  0.2500]])
    """
    return torch.diag_embed(p) - p.unsqueeze(-1) * p.unsqueeze(-2)


class _Softmax(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, at_logits: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        return torch.softmax(z, -1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.at_logits = inputs[1]
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        (p,) = ctx.saved_tensors
        return ctx.at_logits(g, p), None


def _as_it_is(g: Tensor, p: Tensor) -> Tensor:
    return g


def _clamped(g: Tensor, p: Tensor, floor: float) -> Tensor:
    return g * (lifted(p) / p.clamp_min(floor))  # g itself was computed with p lifted


def _by_torch(g: Tensor, p: Tensor) -> Tensor:
    sent: Tensor = torch.ops.aten._softmax_backward_data(g, p, -1, p.dtype)
    return sent


BACKWARDS: dict[str, BackwardRule] = {
    "jacobian": BackwardRule(through_jacobian),
    "identity": BackwardRule(_as_it_is),
    "clamped_0.01": BackwardRule(partial(_clamped, floor=0.01)),
    "clamped_0.1": BackwardRule(partial(_clamped, floor=0.1)),
    "clamped_0.5": BackwardRule(partial(_clamped, floor=0.5)),
    "autograd": BackwardRule(_by_torch, softmax=lambda z: torch.softmax(z, -1)),
    "fused": BackwardRule(through_jacobian, fused=True),
}
