"""Losses of each run: on probabilities, or fused with softmax on logits; and their derivatives.

Every loss is a mean over the batch, in the letters of design: z logits, p = softmax(z), y the
labels' one-hot rows, g = dL/dp. Squared error is summed over classes.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from study.nn.softmax import softmax, through_jacobian


def one_hot(
    labels: Int[Tensor, "*run batch"], like: Float[Tensor, "*run batch classes"]
) -> Float[Tensor, "*run batch classes"]:
    """Return labels as rows with a single 1, shaped and typed as ``like``."""
    classes = torch.arange(like.shape[-1], device=like.device)
    return (labels.unsqueeze(-1) == classes).to(like.dtype)


def cross_entropy(
    p: Float[Tensor, "*run batch classes"], labels: Int[Tensor, "*run batch"]
) -> Float[Tensor, "*run"]:
    """Return each run's mean of -log p_y, in nats.

    Probabilities below the smallest normal number are taken as that number, so the loss is at most
    87.3 in float32 and its gradient -y/p stays finite. Where p_y has underflowed to 0 the derived
    Jacobian sends nothing to the logits, while the fused loss still sends p - y.

    Examples
    --------
    >>> cross_entropy(torch.tensor([[0.5, 0.5]]), torch.tensor([0]))
    tensor(0.6931)
    """
    return -chosen_probabilities(p, labels).log().mean(-1)


def chosen_probabilities(
    p: Float[Tensor, "*run batch classes"], labels: Int[Tensor, "*run batch"]
) -> Float[Tensor, "*run batch"]:
    """Return the labels' own probabilities, at least the smallest normal number."""
    chosen = p.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    # Added as a constant: a clamped loss is flat, but the derivation's -1/p is what is studied.
    lift = (chosen.clamp_min(torch.finfo(p.dtype).tiny) - chosen).detach()
    return chosen + lift


def squared_error(
    p: Float[Tensor, "*run batch classes"], labels: Int[Tensor, "*run batch"]
) -> Float[Tensor, "*run"]:
    """Return each run's mean of the squared distance between p and y.

    Examples
    --------
    >>> squared_error(torch.tensor([[0.5, 0.5]]), torch.tensor([0]))
    tensor(0.5000)
    """
    return (p - one_hot(labels, p)).square().sum(-1).mean(-1)


def fused_cross_entropy(
    z: Float[Tensor, "*run batch classes"], labels: Int[Tensor, "*run batch"]
) -> Float[Tensor, "*run"]:
    """Return each run's cross-entropy from logits, through log-softmax.

    Raises
    ------
    ValueError
        ``z`` are probabilities already (double softmax): the loss could not fall below
        log(1 + (K - 1)/e), 1.4612 for 10 classes.
    """
    _refuse_probabilities(z)
    log_p = torch.log_softmax(z, -1)
    return -log_p.gather(-1, labels.unsqueeze(-1)).squeeze(-1).mean(-1)


def fused_squared_error(
    z: Float[Tensor, "*run batch classes"], labels: Int[Tensor, "*run batch"]
) -> Float[Tensor, "*run"]:
    """Return each run's squared error from logits.

    Raises
    ------
    ValueError
        ``z`` are probabilities already.
    """
    _refuse_probabilities(z)
    return squared_error(torch.softmax(z, -1), labels)


def _refuse_probabilities(z: Tensor) -> None:
    try:
        # The sum in single precision; each term keeps the rounding of its own.
        sums = z.detach().sum(-1, dtype=torch.promote_types(z.dtype, torch.float32))
        near = max(1e-3, torch.finfo(z.dtype).eps)
        looks = bool((z >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=near))
    except RuntimeError:
        # Inside torch.func.vmap no value can be looked at; outside, every call is checked.
        return
    if looks and z.numel():
        raise ValueError(
            "z: expected logits, found probabilities (every row is non-negative and sums to 1); "
            "a fused loss applies softmax itself: give it what softmax was given"
        )


def loss_of(
    z: Float[Tensor, "*run batch classes"],
    labels: Int[Tensor, "*run batch"],
    loss: str,
    backward: str,
) -> Float[Tensor, "*run"]:
    """Return the loss that a run trains on, differentiable by its backward rule."""
    if backward == "fused":
        # Not through the public functions: their look at the values would stop a GPU every step.
        if loss == "cross_entropy":
            log_p = torch.log_softmax(z, -1)
            return -log_p.gather(-1, labels.unsqueeze(-1)).squeeze(-1).mean(-1)
        return squared_error(torch.softmax(z, -1), labels)
    p = softmax(z, backward)
    return cross_entropy(p, labels) if loss == "cross_entropy" else squared_error(p, labels)


def gradient_at_logits(
    p: Float[Tensor, "*run batch classes"],
    labels: Int[Tensor, "*run batch"],
    loss: str,
    backward: str,
) -> Float[Tensor, "*run batch classes"]:
    """Return what a backward rule sends to the logits, by hand.

    Cross-entropy has g = -y/p and squared error g = 2(p - y). Through the Jacobian the first
    becomes p - y, which ``fused`` computes as such; ``identity`` sends g itself.

    Parameters
    ----------
    p, labels
        Probabilities and labels, with or without a leading run dimension.
    loss, backward
        As in `study.Model`.
    """
    if backward == "fused" and loss == "cross_entropy":
        return (p - _one_hot(labels, p)).div_(p.shape[-2])
    g = gradient_at_probabilities(p, labels, loss)
    if backward == "identity":
        return g
    if backward == "autograd":
        sent: Tensor = torch.ops.aten._softmax_backward_data(g, p, -1, p.dtype)
        return sent
    return through_jacobian(g, p)


def gradient_at_probabilities(
    p: Float[Tensor, "*run batch classes"], labels: Int[Tensor, "*run batch"], loss: str
) -> Float[Tensor, "*run batch classes"]:
    """Return g = dL/dp of a loss on probabilities."""
    y, batch = _one_hot(labels, p), p.shape[-2]
    if loss == "cross_entropy":
        return y.div_(p.clamp_min(torch.finfo(p.dtype).tiny)).mul_(-1 / batch)
    return (p - y).mul_(2 / batch)


def _one_hot(labels: Tensor, like: Tensor) -> Tensor:
    """Return what `one_hot` does, faster, where nothing is differentiated or vmapped."""
    return torch.zeros_like(like).scatter_(-1, labels.unsqueeze(-1), 1)


def exact_metrics(
    z: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """Return each example's cross-entropy and squared error, whatever was trained."""
    # As in `probabilities`, over rows.
    log_p = torch.log_softmax(z.mT.contiguous(), -2).mT
    cross_entropy = -log_p.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    return cross_entropy, (log_p.exp() - one_hot(labels, z)).square_().sum(-1)


# The names that configs may give.
LOSSES = {"cross_entropy": cross_entropy, "squared_error": squared_error}
