"""The gradients of a network of any depth, as derived by hand.

With h_0 = x, u_l = h_l W_l^T + b_l, h_(l+1) = act(u_l), logits z = u_L, p = softmax(z) and
delta_L = dL/dz:

    dL/dW_l = delta_l^T h_l,    dL/db_l = sum over the batch of delta_l,
    delta_(l-1) = (delta_l W_l) * act'(u_(l-1)).

With dropout, m_l * h_l takes the place of h_l in u_l and dL/dW_l, and m_l * (delta_l W_l) that of
delta_l W_l.

Tensors may have a leading run dimension. Products are then batched over runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from study.base.names import ACTIVATION, BACKWARD, LOSS
from study.nn.losses import Loss
from study.nn.mlp import Activation
from study.nn.products import Layer
from study.nn.softmax import BackwardRule, probabilities


class Gradients:
    """A way to compute the gradients of a network, whose layers' products it is given.

    The names are those of `study.Model`; an unknown one raises `BadInput`.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        *,
        activation: str,
        loss: str,
        backward: str,
        label_smoothing: float = 0.0,
    ) -> None:
        self.layers = layers
        self.activation = ACTIVATION.resolve_as(activation, "activation", Activation)
        self.loss = LOSS.resolve_as(loss, "loss", Loss).smoothed(label_smoothing)
        self.rule = BACKWARD.resolve_as(backward, "backward", BackwardRule)
        self._buffers: dict[torch.Size, list[tuple[Tensor, Tensor]]] = {}


class DerivedGradients(Gradients):
    """Computes gradients by the equations above.

    An instance keeps buffers between calls, so only one thread may use it at a time.
    """

    def __call__(
        self,
        parameters: Sequence[Tensor],
        x: Float[Tensor, "*run batch feature"],
        labels: Int[Tensor, "*run batch"],
        gradients: list[Tensor],
        masks: Sequence[Tensor | None] = (),
    ) -> Float[Tensor, "*run batch classes"]:
        """Compute the gradients of a batch and return its probabilities.

        Parameters
        ----------
        parameters
            Weights and biases in layer order, W_0, b_0, W_1, …
        x, labels
            A batch.
        gradients
            A list of tensors shaped as ``parameters``. The gradients are written into these
            tensors, or into new tensors that replace them in the list.
        masks
            Each layer's mask of dropout or None, as `study.nn.dropout.masks` gives them; nothing
            where no layer drops any input.
        """
        weights, biases = parameters[::2], parameters[1::2]
        masks = masks or [None] * len(weights)
        buffers = self._buffers_for(x, biases)
        h, seen, u = [x], [], []
        for layer, weight, bias, mask, (out, _) in zip(
            self.layers, weights, biases, masks, buffers, strict=True
        ):
            seen.append(h[-1] if mask is None else h[-1] * mask)
            u.append(layer.forward(seen[-1], weight, out).add_(bias.unsqueeze(-2)))
            if len(h) < len(weights):
                h.append(self.activation.in_place(u[-1]))
        p = probabilities(u[-1])
        delta = self.loss.at_logits(p, labels, self.rule)
        for at in reversed(range(len(weights))):
            layer = self.layers[at]
            gradients[2 * at] = layer.weights(delta.mT, seen[at].mT, gradients[2 * at])
            torch.sum(delta, -2, out=gradients[2 * at + 1])
            if at:
                delta = layer.inputs(delta, weights[at].mT, buffers[at - 1][1])
                if (mask := masks[at]) is not None:
                    delta.mul_(mask)
                self.activation.through(delta, u[at - 1], h[at])
        return p

    def _buffers_for(self, x: Tensor, biases: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Return two buffers a layer: for its outputs and for the gradient at its outputs."""
        if x.shape not in self._buffers:
            shapes = [(*x.shape[:-1], bias.shape[-1]) for bias in biases]
            self._buffers[x.shape] = [(x.new_empty(s), x.new_empty(s)) for s in shapes]
        return self._buffers[x.shape]


class AutogradGradients(Gradients):
    """Computes gradients by PyTorch's autograd; the arguments are those of `DerivedGradients`."""

    def __call__(
        self,
        parameters: Sequence[Tensor],
        x: Float[Tensor, "*run batch feature"],
        labels: Int[Tensor, "*run batch"],
        gradients: list[Tensor],
        masks: Sequence[Tensor | None] = (),
    ) -> Float[Tensor, "*run batch classes"]:
        """Write the gradients of a batch into tensors and return its probabilities."""
        masks = masks or [None] * len(self.layers)
        with torch.enable_grad():
            leaves = [parameter.detach().requires_grad_() for parameter in parameters]
            z = x
            layers = zip(leaves[::2], leaves[1::2], masks, strict=True)
            for at, (weight, bias, mask) in enumerate(layers):
                h = self.activation.function(z) if at else x
                z = (h if mask is None else h * mask) @ weight.mT + bias.unsqueeze(-2)
            # In mixed precision the loss is computed in the parameters' own precision.
            z = z.to(leaves[-1].dtype)
            value = self.loss.of_logits(z, labels, self.rule)
            found = torch.autograd.grad(value.sum(), leaves)
        for target, gradient in zip(gradients, found, strict=True):
            target.copy_(gradient)
        return probabilities(z.detach())


METHODS: dict[str, type[DerivedGradients] | type[AutogradGradients]] = {
    "derived": DerivedGradients,
    "autograd": AutogradGradients,
}
