"""The network's gradients, written out from the derivation for any depth.

With h_0 = x, u_l = h_l W_l^T + b_l, h_(l+1) = act(u_l), logits z = u_L and delta_L = dL/dz:

    dL/dW_l = delta_l^T h_l,    dL/db_l = sum over the batch of delta_l,
    delta_(l-1) = (delta_l W_l) * act'(u_(l-1)).

Tensors may have a leading run dimension (batched products) or none (one run).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from study.nn.losses import loss_and_gradient, loss_of
from study.nn.mlp import ACTIVATIONS


def derived_gradients(
    parameters: Sequence[Tensor],
    x: Float[Tensor, "*run batch feature"],
    labels: Int[Tensor, "*run batch"],
    out: Sequence[Tensor],
    *,
    activation: str,
    loss: str,
    backward: str,
) -> Float[Tensor, "*run"]:
    """Write the gradient of the loss into ``out`` and return the loss.

    Parameters
    ----------
    parameters
        Weights and biases in layer order, W_0, b_0, W_1, …
    x, labels
        A batch.
    out
        Tensors shaped as ``parameters``, overwritten.
    activation, loss, backward
        As in `study.Model`.
    """
    act = ACTIVATIONS[activation][0]
    weights, biases = parameters[::2], parameters[1::2]
    h, u = [x], []
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        u.append(torch.matmul(h[-1], weight.mT).add_(bias.unsqueeze(-2)))
        h.append(act(u[-1]))
    z = torch.matmul(h[-1], weights[-1].mT).add_(biases[-1].unsqueeze(-2))
    value, delta = loss_and_gradient(z, labels, loss, backward)
    for layer in reversed(range(len(weights))):
        torch.matmul(delta.mT, h[layer], out=out[2 * layer])
        torch.sum(delta, -2, out=out[2 * layer + 1])
        if layer:
            delta = _through(
                activation, torch.matmul(delta, weights[layer]), u[layer - 1], h[layer]
            )
    return value


def _through(activation: str, delta: Tensor, u: Tensor, h: Tensor) -> Tensor:
    """Return delta * act'(u), given u and h = act(u)."""
    if activation == "relu":
        # delta where h > 0, in one pass.
        passed: Tensor = torch.ops.aten.threshold_backward(delta, h, 0)
        return passed
    if activation == "tanh":
        return delta * (1 - h.square())
    if activation == "sigmoid":
        return delta * (h * (1 - h))
    # gelu(u) = u Phi(u), with Phi the normal distribution function and phi its density.
    density = torch.exp(-u.square() / 2) / math.sqrt(2 * math.pi)
    through: Tensor = delta * (torch.special.ndtr(u) + u * density)
    return through


def autograd_gradients(
    parameters: Sequence[Tensor],
    x: Float[Tensor, "*run batch feature"],
    labels: Int[Tensor, "*run batch"],
    out: Sequence[Tensor],
    *,
    activation: str,
    loss: str,
    backward: str,
) -> Float[Tensor, "*run"]:
    """Do as `derived_gradients` does, by PyTorch's autograd."""
    act = ACTIVATIONS[activation][0]
    with torch.enable_grad():
        leaves = [parameter.detach().requires_grad_() for parameter in parameters]
        h = x
        for weight, bias in zip(leaves[:-2:2], leaves[1:-2:2], strict=True):
            h = act(h @ weight.mT + bias.unsqueeze(-2))
        z = h @ leaves[-2].mT + leaves[-1].unsqueeze(-2)
        # Mixed precision ends here: the loss is computed in the parameters' own.
        value = loss_of(z.to(leaves[-1].dtype), labels, loss, backward)
        gradients = torch.autograd.grad(value.sum(), leaves)
    for target, gradient in zip(out, gradients, strict=True):
        target.copy_(gradient)
    return value.detach()


METHODS = {"derived": derived_gradients, "autograd": autograd_gradients}
