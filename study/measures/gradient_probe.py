"""Compares the gradient that a backward rule sends to the logits with the loss's exact gradient.

With logits z, p = softmax(z), one-hot labels y, and g = dL/dp of a loss L that is a mean over the
B examples of a batch, the exact gradient at the logits is

    dL/dz = p * (g - <g, p>),
    cross-entropy  L = -log p_y        g = -y / (B p_y)      dL/dz = (p - y) / B,
    squared error  L = sum (p - y)^2   g = 2 (p - y) / B     dL/dz as above

(Bridle, 1990, Probabilistic interpretation of feedforward classification network outputs). It is
computed from the logits in float64. Training computes its rule's gradient in the training's
precision, and clamps p_y to at least the smallest normal number. Where p_y has underflowed, the
Jacobian sends exactly 0, while p - y is as large as it can be. PyTorch's automatic differentiation
of the loss, in the training's precision, is a second reference, which knows no derivation. With
smoothed labels y are the rows (1 - e) y + e/K of the loss that is trained on. Nothing is dropped:
dropout acts in training steps alone.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from study.base.names import LOSS
from study.base.streams import Stream
from study.measures.network import MeasuredData, MeasuredNetwork, Network, spread
from study.nn.losses import Loss, gradient_at_logits, gradient_at_probabilities, loss_of
from study.nn.targets import one_hot

PROBED = 100  # examples


def measure(network: MeasuredNetwork, data: MeasuredData, random: Stream) -> dict[str, float]:
    """Return what a run's backward rule sends on a fixed batch of its training examples."""
    chosen = spread(len(data.labels), PROBED)
    images, labels = data.train_part(chosen), data.labels[chosen]
    how = (network.loss, network.backward, network.label_smoothing)
    found = gradient_probe(network.logits, images, labels, *how)
    return {f"gradient_{name}": value for name, value in found.items()}


@torch.no_grad()
def gradient_probe(
    network: Network,
    images: Float[Tensor, "batch feature"],
    labels: Int[Tensor, " batch"],
    loss: str,
    backward: str,
    label_smoothing: float = 0.0,
) -> dict[str, float]:
    """Compare a backward rule's gradient at a batch's logits with the exact gradient.

    Norms are over all numbers of the gradient of the batch's mean loss. The labels are those
    trained on; ``loss``, ``backward`` and ``label_smoothing`` are those of `study.Model`.

    Returns
    -------
    dict
        ``norm`` of the rule's gradient, in the network's precision; ``exact_norm`` of the exact
        gradient; ``exact_cosine`` of the angle between the two, nan where one is 0;
        ``zero_share``, the share of examples to which the rule sends exactly 0; ``largest_g``,
        the largest |dL/dp| that enters the rule, with p_y clamped; ``exact_largest_g``, the same
        without the clamp, which may be infinite; ``autograd_distance``, the norm of the difference
        between the rule's gradient and autograd's, over autograd's norm, nan where that is 0.

    Examples
    --------
    >>> z = torch.tensor([[0.0, 200.0]])  # float32 has no exp(-200)
    >>> found = gradient_probe(lambda images: z, z, torch.tensor([0]), "cross_entropy", "jacobian")
    >>> found["norm"], found["zero_share"], found["exact_norm"]
    (0.0, 1.0, 1.4142135623730951)
    """
    z = network(images)
    p = torch.softmax(z, -1)
    g = gradient_at_probabilities(p, labels, loss, label_smoothing)
    sent = gradient_at_logits(p, labels, loss, backward, label_smoothing)
    exact, exact_largest_g = exact_gradient(z.double(), labels, loss, label_smoothing)
    values = {
        "norm": torch.linalg.norm(sent.double()),
        "exact_norm": torch.linalg.norm(exact),
        "exact_cosine": _cosine(sent.double(), exact),
        "zero_share": (sent == 0).all(-1).double().mean(),
        "largest_g": g.abs().max().double(),
        "exact_largest_g": exact_largest_g,
        "autograd_distance": _distance(sent, _by_autograd(z, labels, loss, label_smoothing)),
    }
    return dict(zip(values, torch.stack(list(values.values())).tolist(), strict=True))


def exact_gradient(
    z: Float[Tensor, "batch classes"],
    labels: Int[Tensor, " batch"],
    loss: str,
    label_smoothing: float = 0.0,
) -> tuple[Float[Tensor, "batch classes"], Float[Tensor, ""]]:
    """Return dL/dz of a loss's mean over a batch, and the largest |dL/dp|, in ``z``'s precision.

    For a loss of the user's own, autograd differentiates its value at p. An unknown loss raises
    `BadInput`.

    Examples
    --------
    >>> z = torch.tensor([[0.0, 800.0]], dtype=torch.float64)
    >>> exact_gradient(z, torch.tensor([0]), "cross_entropy")
    (tensor([[-1.,  1.]], dtype=torch.float64), tensor(inf, dtype=torch.float64))
    """
    batch = len(labels)
    log_p = torch.log_softmax(z, -1)
    p, y = log_p.exp(), one_hot(labels, log_p, label_smoothing)
    p_minus_y = _summing_to_zero(p - label_smoothing / z.shape[-1], labels.unsqueeze(-1))
    if loss == "cross_entropy":
        return p_minus_y / batch, (y.log() - log_p).exp().max() / batch
    if loss == "squared_error":
        g = 2 * p_minus_y / batch
    else:
        g = LOSS.resolve_as(loss, "loss", Loss).smoothed(label_smoothing).gradient_at(p, labels)
    through = p * (g - (g * p).sum(-1, keepdim=True))
    return _summing_to_zero(through, p.argmax(-1, keepdim=True)), g.abs().max()


def _by_autograd(z: Tensor, labels: Tensor, loss: str, label_smoothing: float) -> Tensor:
    """Return dL/dz by automatic differentiation of the loss of softmax(z)."""
    with torch.enable_grad():
        leaf = z.detach().requires_grad_()
        value = loss_of(leaf, labels, loss, "autograd", label_smoothing)
    return torch.autograd.grad(value, leaf)[0]


def _distance(sent: Tensor, reference: Tensor) -> Tensor:
    apart = torch.linalg.norm(sent.double() - reference.double())
    distance: Tensor = apart / torch.linalg.norm(reference.double())
    return distance


def _summing_to_zero(rows: Tensor, at: Tensor) -> Tensor:
    """Set each row's element ``at`` so that the row sums to 0, as a gradient at the logits does.

    Where p is nearly 1, that element is a difference of nearly equal numbers, which rounds badly.
    """
    others = rows.scatter(-1, at, 0)
    return others.scatter(-1, at, -others.sum(-1, keepdim=True))


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    """Return the cosine of the angle between two tensors, even where their squares underflow."""
    a, b = a / a.abs().max(), b / b.abs().max()
    cosine: Tensor = (a * b).sum() / (torch.linalg.norm(a) * torch.linalg.norm(b))
    return cosine
