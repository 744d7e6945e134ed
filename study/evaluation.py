"""Exact evaluation of one run's network: on all examples it trains on, and on the test set."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from study.data.module import RunTensors
from study.nn.losses import exact_metrics
from study.nn.products import EVALUATED_AT_ONCE

PROBED = 100  # examples looked at first for whether a run has fitted

Network = Callable[[Tensor], Tensor]


@torch.no_grad()
def evaluate(network: Network, data: RunTensors) -> dict[str, float]:
    """Return a network's metrics, as a row of ``history`` has them.

    Parameters
    ----------
    network
        Gives logits [batch, classes] for images [batch, feature].
    data
        The run's data.
    """
    train = torch.cat([network(data.train_part(part)) for part in _parts(len(data.labels))])
    row = {f"train_{k}": v for k, v in metrics(train, data.labels).items()}
    said = train.argmax(-1)
    right = said == data.labels
    row["train_accuracy_true"] = _mean(said == data.true_labels)
    row["train_accuracy_redrawn"] = _mean(right[data.redrawn])
    row["train_accuracy_untouched"] = _mean(right[~data.redrawn])
    test = torch.cat([network(data.test_images[part]) for part in _parts(len(data.test_labels))])
    row |= {f"test_{k}": v for k, v in metrics(test, data.test_labels).items()}
    noisy = metrics(test, data.test_noisy_labels)
    return row | {f"test_noisy_{k}": v for k, v in noisy.items()}


@torch.no_grad()
def fits(network: Network, data: RunTensors, accuracy: float) -> bool:
    """Tell whether a network's accuracy on the labels it trains on is at least ``accuracy``.

    As `evaluate` would, but it looks no further than to where too many are wrong.
    """
    examples = len(data.labels)
    probe = slice(0, PROBED)
    z = network(data.train_part(probe))
    short = z.amax(-1) - z.gather(-1, data.labels[probe].unsqueeze(-1)).squeeze(-1)
    # A batch of another size may be rounded otherwise: here only what is wrong in any case counts.
    wrong = int((short > 1e-3 * z.abs().amax()).sum())
    if (examples - wrong) / examples < accuracy:
        return False
    wrong = 0
    for part in _parts(examples):
        wrong += int((network(data.train_part(part)).argmax(-1) != data.labels[part]).sum())
        if (examples - wrong) / examples < accuracy:
            return False
    return True


def metrics(z: Tensor, labels: Tensor) -> dict[str, float]:
    """Return the means that are recorded whatever was trained, summed in float64."""
    cross_entropy, squared_error = exact_metrics(z, labels)
    return {
        "cross_entropy": _mean(cross_entropy),
        "squared_error": _mean(squared_error),
        "accuracy": _mean(z.argmax(-1) == labels),
    }


def _mean(values: Tensor) -> float:
    return values.mean(dtype=torch.float64).item() if values.numel() else float("nan")


def _parts(examples: int) -> list[slice]:
    starts = range(0, examples, EVALUATED_AT_ONCE)
    return [slice(start, start + EVALUATED_AT_ONCE) for start in starts]
