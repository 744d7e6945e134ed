"""The losses of each run, on probabilities or on logits, and their derivatives.

z are logits, p = softmax(z), y the one-hot rows of the labels, and g = dL/dp. Every loss is a mean
over the batch. Squared error is summed over classes. Label smoothing e takes (1 - e) y + e/K in
place of y, in the losses and so in their derivatives (Szegedy et al., 2016, Rethinking the
Inception Architecture for Computer Vision, section 7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from study.base.names import BACKWARD, LOSS
from study.nn.loss_inputs import refuse_labels, refuse_probabilities
from study.nn.softmax import BACKWARDS, BackwardRule
from study.nn.targets import chosen_probabilities, fast_one_hot, lifted, one_hot


@dataclass(frozen=True)
class Loss:
    """A loss of each run, and how it is differentiated.

    Every function takes labels [*run, batch] as its second argument. Labels are not checked here,
    because reading values from a GPU would stop it at every training step.

    Parameters
    ----------
    of_probabilities
        Returns the loss [*run] of p [*run, batch, classes].
    gradient
        Returns g = dL/dp, given p. By default autograd differentiates ``of_probabilities``.
    fused
        Returns the loss of logits z without probabilities in between. By default the probabilities
        are computed.
    fused_gradient
        Returns dL/dz, given p, without g in between. By default g goes through the Jacobian.

    Examples
    --------
    >>> chance = Loss(lambda p, labels: 1 - chosen_probabilities(p, labels).mean(-1))
    >>> chance.gradient_at(torch.tensor([[0.5, 0.5]]), torch.tensor([0]))
    tensor([[-1.,  0.]])
    """

    of_probabilities: Callable[..., Tensor]
    gradient: Callable[..., Tensor] | None = None
    fused: Callable[..., Tensor] | None = None
    fused_gradient: Callable[..., Tensor] | None = None

    def smoothed(self, label_smoothing: float) -> Loss:
        """Return the loss with (1 - e) y + e/K in place of y, if its functions take that e."""
        if not label_smoothing:
            return self
        return Loss(*(each and partial(each, e=label_smoothing) for each in vars(self).values()))

    def of_logits(self, z: Tensor, labels: Tensor, rule: BackwardRule) -> Tensor:
        """Return the loss of logits, differentiable by a backward rule."""
        if rule.fused and self.fused is not None:
            return self.fused(z, labels)
        return self.of_probabilities(torch.softmax(z, -1) if rule.fused else rule(z), labels)

    def gradient_at(self, p: Tensor, labels: Tensor) -> Tensor:
        """Return g = dL/dp."""
        if self.gradient is not None:
            return self.gradient(p, labels)
        with torch.enable_grad():
            leaf = p.detach().requires_grad_()
            total = self.of_probabilities(leaf, labels).sum()
        return torch.autograd.grad(total, leaf)[0]

    def at_logits(self, p: Tensor, labels: Tensor, rule: BackwardRule) -> Tensor:
        """Return what a backward rule sends to the logits."""
        if rule.fused and self.fused_gradient is not None:
            return self.fused_gradient(p, labels)
        return rule.at_logits(self.gradient_at(p, labels), p)


def cross_entropy(
    p: Float[Tensor, "*run batch classes"], labels: Int[Tensor, "*run batch"]
) -> Float[Tensor, "*run"]:
    """Return each run's mean of -log p_y, in nats.

    A probability below the smallest normal number counts as that number, so the loss is at most
    87.3 in float32 and its gradient -y/p stays finite. If p_y has underflowed to 0, the derived
    Jacobian sends nothing to the logits, while the fused loss still sends p - y.

    Labels are checked by `refuse_labels`.

    Examples
    --------
    >>> cross_entropy(torch.tensor([[0.5, 0.5]]), torch.tensor([0]))
    tensor(0.6931)
    """
    refuse_labels(labels, p)
    return _cross_entropy(p, labels)


def squared_error(
    p: Float[Tensor, "*run batch classes"], labels: Int[Tensor, "*run batch"]
) -> Float[Tensor, "*run"]:
    """Return each run's mean of the squared distance between p and y.

    Labels are checked by `refuse_labels`.

    Examples
    --------
    >>> squared_error(torch.tensor([[0.5, 0.5]]), torch.tensor([0]))
    tensor(0.5000)
    """
    refuse_labels(labels, p)
    return _squared_error(p, labels)


def fused_cross_entropy(
    z: Float[Tensor, "*run batch classes"], labels: Int[Tensor, "*run batch"]
) -> Float[Tensor, "*run"]:
    """Return each run's cross-entropy of logits, computed by log-softmax.

    Labels are checked by `refuse_labels`, and ``z`` by `refuse_probabilities`: after a second
    softmax the loss could not fall below log(1 + (K - 1)/e), which is 1.4612 for 10 classes.
    """
    refuse_labels(labels, z)
    refuse_probabilities(z)
    return _fused_cross_entropy(z, labels)


def fused_squared_error(
    z: Float[Tensor, "*run batch classes"], labels: Int[Tensor, "*run batch"]
) -> Float[Tensor, "*run"]:
    """Return each run's squared error of logits.

    Labels are checked by `refuse_labels`, and ``z`` by `refuse_probabilities`.
    """
    refuse_labels(labels, z)
    refuse_probabilities(z)
    return _squared_error(torch.softmax(z, -1), labels)


def loss_of(
    z: Float[Tensor, "*run batch classes"],
    labels: Int[Tensor, "*run batch"],
    loss: str,
    backward: str,
    label_smoothing: float = 0.0,
) -> Float[Tensor, "*run"]:
    """Return the loss that a run trains on, differentiable by its backward rule.

    ``loss``, ``backward`` and ``label_smoothing`` are those of `study.Model`.

    Raises
    ------
    BadInput
        A name is unknown, or the labels are not one whole number from 0 to K - 1 for each row of
        ``z``.
    """
    which, rule = _resolved(loss, backward, label_smoothing)
    refuse_labels(labels, z)
    return which.of_logits(z, labels, rule)


def gradient_at_logits(
    p: Float[Tensor, "*run batch classes"],
    labels: Int[Tensor, "*run batch"],
    loss: str,
    backward: str,
    label_smoothing: float = 0.0,
) -> Float[Tensor, "*run batch classes"]:
    """Return the gradient that a backward rule sends to the logits, as derived by hand.

    Cross-entropy has g = -y/p, and squared error has g = 2(p - y). The Jacobian turns -y/p into
    p - y. The rule ``fused`` computes p - y directly, and ``identity`` sends g itself. Arguments
    and errors are those of `loss_of`.
    """
    which, rule = _resolved(loss, backward, label_smoothing)
    refuse_labels(labels, p)
    return which.at_logits(p, labels, rule)


def gradient_at_probabilities(
    p: Float[Tensor, "*run batch classes"],
    labels: Int[Tensor, "*run batch"],
    loss: str,
    label_smoothing: float = 0.0,
) -> Float[Tensor, "*run batch classes"]:
    """Return g = dL/dp; arguments and errors are those of `loss_of`."""
    which = LOSS.resolve_as(loss, "loss", Loss).smoothed(label_smoothing)
    refuse_labels(labels, p)
    return which.gradient_at(p, labels)


def _resolved(loss: str, backward: str, label_smoothing: float) -> tuple[Loss, BackwardRule]:
    # The tables come first, because torch.compile cannot trace how other names are resolved.
    rule = BACKWARDS.get(backward) or BACKWARD.resolve_as(backward, "backward", BackwardRule)
    which = LOSSES.get(loss) or LOSS.resolve_as(loss, "loss", Loss)
    return which.smoothed(label_smoothing), rule


def _cross_entropy(p: Tensor, labels: Tensor, e: float = 0.0) -> Tensor:
    if e:
        return -(one_hot(labels, p, e) * lifted(p).log()).sum(-1).mean(-1)
    return -chosen_probabilities(p, labels).log().mean(-1)


def _cross_entropy_gradient(p: Tensor, labels: Tensor, e: float = 0.0) -> Tensor:
    y, batch = fast_one_hot(labels, p, e), p.shape[-2]
    return y.div_(p.clamp_min(torch.finfo(p.dtype).tiny)).mul_(-1 / batch)


def _fused_cross_entropy(z: Tensor, labels: Tensor, e: float = 0.0) -> Tensor:
    log_p = torch.log_softmax(z, -1)
    if e:
        return -(one_hot(labels, z, e) * log_p).sum(-1).mean(-1)
    return -log_p.gather(-1, labels.unsqueeze(-1)).squeeze(-1).mean(-1)


def _fused_cross_entropy_gradient(p: Tensor, labels: Tensor, e: float = 0.0) -> Tensor:
    return (p - fast_one_hot(labels, p, e)).div_(p.shape[-2])


def _squared_error(p: Tensor, labels: Tensor, e: float = 0.0) -> Tensor:
    return (p - one_hot(labels, p, e)).square().sum(-1).mean(-1)


def _squared_error_gradient(p: Tensor, labels: Tensor, e: float = 0.0) -> Tensor:
    return (p - fast_one_hot(labels, p, e)).mul_(2 / p.shape[-2])


LOSSES: dict[str, Loss] = {
    "cross_entropy": Loss(
        *(_cross_entropy, _cross_entropy_gradient),
        *(_fused_cross_entropy, _fused_cross_entropy_gradient),
    ),
    "squared_error": Loss(_squared_error, _squared_error_gradient),
}
