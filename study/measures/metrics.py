"""Losses and accuracies of a network, independent of the loss it was trained on.

With logits z, p = softmax(z) and one-hot labels y, the means over examples of

    cross_entropy   -log p_y, in nats,
    squared_error   sum over classes of (p - y)^2,
    accuracy        1 where argmax z is the label, else 0.

Under label noise, accuracy is also measured on the examples with redrawn labels. Against the labels
trained on it shows memorization, against the true labels early learning (Arpit et al., 2017, A
Closer Look at Memorization in Deep Networks; Liu et al., 2020, Early-Learning Regularization
Prevents Memorization of Noisy Labels).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from study.nn.loss_inputs import refuse_labels
from study.nn.targets import one_hot


def metrics(z: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]) -> dict[str, float]:
    """Return the mean cross-entropy, squared error and accuracy, summed in float64.

    Examples
    --------
    >>> metrics(torch.tensor([[0.0, 0.0], [0.0, 99.0]]), torch.tensor([1, 1]))["squared_error"]
    0.25
    """
    refuse_labels(labels, z)
    # log_softmax is faster over a leading dimension, as in `study.nn.softmax.probabilities`.
    log_p = torch.log_softmax(z.mT.contiguous(), -2).mT
    return {
        "cross_entropy": _mean(-log_p.gather(-1, labels.unsqueeze(-1)).squeeze(-1)),
        "squared_error": _mean((log_p.exp() - one_hot(labels, z)).square_().sum(-1)),
        "accuracy": _mean(z.argmax(-1) == labels),
    }


def accuracies_under_noise(
    z: Float[Tensor, "batch classes"],
    labels: Int[Tensor, " batch"],
    true_labels: Int[Tensor, " batch"],
    redrawn: Bool[Tensor, " batch"],
) -> dict[str, float]:
    """Return accuracies on training examples, some of which have a redrawn label.

    Returns
    -------
    dict
        ``accuracy_true`` on all examples against their true labels; ``accuracy_redrawn`` and
        ``accuracy_untouched`` on examples with redrawn and other labels, against the labels trained
        on; ``accuracy_redrawn_true`` on examples with redrawn labels, against the true labels. An
        accuracy over no examples is nan.
    """
    answers = z.argmax(-1)
    right, truly_right = answers == labels, answers == true_labels
    return {
        "accuracy_true": _mean(truly_right),
        "accuracy_redrawn": _mean(right[redrawn]),
        "accuracy_redrawn_true": _mean(truly_right[redrawn]),
        "accuracy_untouched": _mean(right[~redrawn]),
    }


def _mean(values: Tensor) -> float:
    return values.mean(dtype=torch.float64).item() if values.numel() else math.nan
