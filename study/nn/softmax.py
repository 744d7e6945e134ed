"""Softmax with a selectable backward: what the gradient does on its way through."""

from __future__ import annotations

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from study.base.errors import nearest


def softmax(
    z: Float[Tensor, "*batch classes"], backward: str = "jacobian"
) -> Float[Tensor, "*batch classes"]:
    r"""Softmax over the last dimension, with a choice of gradient.

    With p = softmax(z) and the upstream gradient g = dL/dp, what reaches the logits is

    - ``jacobian``: p * (g - <g, p>), the derived Jacobian diag(p) - p p^T applied in closed form;
    - ``identity``: g, the Jacobian left out;
    - ``autograd``: PyTorch's own softmax backward.

    The fourth rule, ``fused``, has no separate probabilities: see `study.nn.losses`.

    Parameters
    ----------
    z
        Logits; any number of leading dimensions.
    backward
        The rule, as above.

    Raises
    ------
    ValueError
        An unknown rule, or ``fused``.

    Examples
    --------
    >>> z = torch.zeros(2, requires_grad=True)
    >>> softmax(z, backward="identity")[0].backward(); z.grad
    tensor([1., 0.])
    >>> z.grad = None
    >>> softmax(z, backward="jacobian")[0].backward(); z.grad
    tensor([ 0.2500, -0.2500])
    """
    if backward == "jacobian":
        return cast("Tensor", _Jacobian.apply(z))
    if backward == "identity":
        return cast("Tensor", _Identity.apply(z))
    if backward == "autograd":
        return torch.softmax(z, -1)
    if backward == "fused":
        raise ValueError(
            "backward: 'fused' has no softmax of its own: give the logits to "
            "study.nn.losses.fused_cross_entropy or fused_squared_error"
        )
    raise ValueError(
        f"backward: expected one of {', '.join(BACKWARDS)}, found {backward!r} "
        f"{nearest(backward, BACKWARDS)}".strip()
    )


def probabilities(z: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch classes"]:
    """Return softmax(z), to be differentiated by hand.

    Examples
    --------
    >>> probabilities(torch.zeros(1, 2))
    tensor([[0.5000, 0.5000]])
    """
    # Over ten numbers side by side torch's kernel takes four times as long as over ten rows.
    return torch.softmax(z.mT.contiguous(), -2).mT


def through_jacobian(
    g: Float[Tensor, "*batch classes"], p: Float[Tensor, "*batch classes"]
) -> Float[Tensor, "*batch classes"]:
    """Return p * (g - <g, p>): the Jacobian of softmax times the gradient, without the Jacobian."""
    return p * (g - (g * p).sum(-1, keepdim=True))


def softmax_jacobian(p: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch classes classes"]:
    """Return the Jacobian of softmax in full, delta_ik p_i - p_i p_k.

    Parameters
    ----------
    p
        Probabilities, softmax(z).

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
    def forward(z: Tensor) -> Tensor:
        return torch.softmax(z, -1)


class _Jacobian(_Softmax):
    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (p,) = ctx.saved_tensors
        return through_jacobian(g, p)


class _Identity(_Softmax):
    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g


# The names that configs may give; the last is a loss's own, see `study.nn.losses`.
BACKWARDS = {"jacobian": softmax, "identity": softmax, "autograd": softmax, "fused": None}
