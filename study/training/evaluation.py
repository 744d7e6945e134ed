"""Exact evaluation of one run's network: on all examples it trains on, and on the test set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from study.nn.losses import exact_metrics, gradient_at_logits, gradient_at_probabilities
from study.nn.products import EVALUATED_AT_ONCE
from study.training.datamodule import RunTensors

PROBE = 100  # examples whose gradient at the logits is recorded
KEPT = {"train": 200, "test": 100}  # examples whose predictions are recorded
SHOWN = 24  # training examples of those whose image is recorded
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


@torch.no_grad()
def probe(network: Network, data: RunTensors, loss: str, backward: str) -> dict[str, float]:
    """Return what a backward rule sends to the logits for a fixed batch, and what is true.

    Norms are over the whole batch of the gradient of its mean loss; ``gradient_cosine`` is the
    cosine of the angle between the two; ``gradient_largest_g`` the largest element of
    |g| = |dL/dp|, which the rule had to send on.
    """
    chosen = spread(len(data.labels), PROBE)
    p, labels = torch.softmax(network(data.train_part(chosen)), -1), data.labels[chosen]
    sent = gradient_at_logits(p, labels, loss, backward).double()
    true = gradient_at_logits(p, labels, loss, "jacobian").double()
    norm, true_norm = torch.linalg.norm(sent), torch.linalg.norm(true)
    return {
        "gradient_norm": norm.item(),
        "gradient_true_norm": true_norm.item(),
        "gradient_cosine": ((sent * true).sum() / (norm * true_norm)).item(),
        "gradient_largest_g": gradient_at_probabilities(p, labels, loss).abs().max().item(),
    }


@torch.no_grad()
def predictions(
    network: Network, data: RunTensors
) -> tuple[list[dict[str, Any]], NDArray[np.uint8]]:
    """Return what a network says of a few hundred fixed examples, and the first ones' images.

    A row each: ``part`` (train or test), ``example`` (its index in the source), ``label`` (the one
    trained on; of test examples, the true one), ``true_label``, ``said``, ``confidence`` and
    ``place`` (its row among the images, or None). Images are as the network sees them, [example,
    feature], from 0 (the darkest) to 255.
    """
    rows: list[dict[str, Any]] = []
    shown = spread(min(KEPT["train"], len(data.labels)), SHOWN).tolist()
    for part, labels, true in (
        ("train", data.labels, data.true_labels),
        ("test", data.test_labels, data.test_labels),
    ):
        chosen = spread(len(labels), KEPT[part])
        images = data.train_part(chosen) if part == "train" else data.test_images[chosen]
        p = torch.softmax(network(images), -1)
        confidence, said = p.max(-1)
        examples = data.examples[chosen] if part == "train" else chosen
        columns = (examples, labels[chosen], true[chosen], said, confidence)
        for example, label, true_label, answer, sure in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            rows.append(
                {
                    "part": part,
                    "example": example,
                    "label": label,
                    "true_label": true_label,
                    "said": answer,
                    "confidence": sure,
                    "place": shown.index(len(rows)) if len(rows) in shown else None,
                }
            )
    images = data.train_part(spread(len(data.labels), KEPT["train"])[shown])
    low, high = images.min(), images.max()
    pixels = (images - low) / (high - low).clamp_min(1e-12) * 255
    return rows, pixels.round().to(torch.uint8).cpu().numpy()


def spread(examples: int, number: int) -> Tensor:
    """Return the indices of some examples, evenly spread, since a source may be sorted by class."""
    return (
        torch.linspace(0, examples - 1, min(number, examples), dtype=torch.float64).round().long()
    )


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
