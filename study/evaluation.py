"""Exact evaluation of one run's network: on all examples it trains on, and on the test set."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from study.data.module import RunTensors
from study.nn.losses import exact_metrics
from study.nn.products import EVALUATED_AT_ONCE

PROBED = 100  # examples whose rightness is looked at first

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


class FitCheck:
    """Tells, epoch by epoch, whether a run is right on enough of the labels it trains on.

    As `evaluate` would, but it looks no further than to where too many are wrong, and first at
    those that were wrong before.
    """

    def __init__(self) -> None:
        self.suspects = torch.arange(PROBED)

    @torch.no_grad()
    def __call__(self, network: Network, data: RunTensors, accuracy: float) -> bool:
        """Tell whether a network's accuracy on the labels it trains on is at least ``accuracy``."""
        examples = len(data.labels)
        suspects = self.suspects[self.suspects < examples].to(data.labels.device)
        z, labels = network(data.train_part(suspects)), data.labels[suspects]
        short = z.amax(-1) - z.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
        # A batch of another size may be rounded otherwise: here only the surely wrong count.
        wrong = int((short > 1e-3 * z.abs().amax()).sum())
        if (examples - wrong) / examples < accuracy:
            return False
        found, wrong = [], 0
        for part in _parts(examples):
            missed = network(data.train_part(part)).argmax(-1) != data.labels[part]
            found.append(part.start + missed.nonzero().squeeze(-1))
            wrong += len(found[-1])
            if (examples - wrong) / examples < accuracy:
                allowed = round((1 - accuracy) * examples)
                self.suspects = torch.cat(found)[: allowed + PROBED]
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
