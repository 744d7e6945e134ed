"""Exact evaluation of one run's network: on what it trains on, and on test and validation sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from study.measures import Network
from study.measures.gradient_probe import gradient_probe
from study.measures.metrics import accuracies_under_noise, metrics
from study.measures.predictions import answers, pixels
from study.nn.products import EVALUATED_AT_ONCE
from study.training.stack_data import RunTensors

__all__ = ["FitCheck", "Network", "evaluate", "metrics", "predictions", "probe", "spread"]

PROBE = 100  # examples whose gradient at the logits is recorded
KEPT = {"train": 200, "test": 100}  # examples whose predictions are recorded
SHOWN = 24  # training examples of those whose image is recorded
PROBED = 100  # examples that `FitCheck` looks at first
EVALUATED_ON_A_GPU = 10_000  # examples at once


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
    train = torch.cat([network(data.train_part(part)) for part in _parts(data.labels)])
    of_train = metrics(train, data.labels)
    of_train |= accuracies_under_noise(train, data.labels, data.true_labels, data.redrawn)
    found = {"train": of_train}
    noisy = {"test": data.test_noisy_labels, "validation": data.validation_noisy_labels}
    for which, noisy_labels in noisy.items():
        images, labels = data.held_out(which)
        if len(labels):
            z = torch.cat([network(images(part)) for part in _parts(labels)])
            found[which], found[f"{which}_noisy"] = metrics(z, labels), metrics(z, noisy_labels)
    return {f"{part}_{name}": value for part, row in found.items() for name, value in row.items()}


def probe(
    network: Network, data: RunTensors, loss: str, backward: str, label_smoothing: float = 0.0
) -> dict[str, float]:
    """Return the measure of `study.measures.gradient_probe` on a fixed batch of training examples.

    Parameters
    ----------
    network
        Gives logits [batch, classes] for images [batch, feature].
    data
        The run's data.
    loss, backward, label_smoothing
        As in `study.Model`.
    """
    chosen = spread(len(data.labels), PROBE)
    batch = (data.train_part(chosen), data.labels[chosen])
    found = gradient_probe(network, *batch, loss, backward, label_smoothing)
    return {f"gradient_{name}": value for name, value in found.items()}


def predictions(
    network: Network, data: RunTensors
) -> tuple[list[dict[str, Any]], NDArray[np.uint8]]:
    """Return a network's answers on a few hundred fixed examples, and the first ones' images.

    Returns
    -------
    rows
        For each example ``part`` (train or test), ``example`` (its index in the source),
        ``label`` (the one trained on; of a test example the true one), ``true_label``, ``said``,
        ``confidence``, and ``place`` (the row of its image among the images, or None).
    images
        As the network sees them, [example, feature], from 0 (the darkest) to 255.
    """
    train = spread(len(data.labels), KEPT["train"])
    test = spread(len(data.test_labels), KEPT["test"])
    true = data.test_labels[test]
    seen = data.train_part(train)
    found = {
        "train": answers(network, seen, data.labels[train], data.true_labels[train]),
        "test": answers(network, data.test_images[test], true, true),
    }
    examples = {"train": data.examples[train].tolist(), "test": test.tolist()}
    shown = spread(len(train), SHOWN)
    places = {int(at): place for place, at in enumerate(shown)}
    rows = []
    for part, its in found.items():
        for at, (example, answer) in enumerate(zip(examples[part], its, strict=True)):
            place = places.get(at) if part == "train" else None
            rows.append({"part": part, "example": example, **answer, "place": place})
    return rows, pixels(seen[shown])


def spread(examples: int, number: int) -> Tensor:
    """Return the indices of some examples, evenly spread, since a source may be sorted by class."""
    return (
        torch.linspace(0, examples - 1, min(number, examples), dtype=torch.float64).round().long()
    )


class FitCheck:
    """Tells, epoch by epoch, whether a run is right on enough of the labels it trains on.

    It says what `evaluate` would say. It stops as soon as too many examples are wrong, and looks
    first at the examples that were wrong before.
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
        for part in _parts(data.labels):
            missed = network(data.train_part(part)).argmax(-1) != data.labels[part]
            found.append(part.start + missed.nonzero().squeeze(-1))
            wrong += len(found[-1])
            if (examples - wrong) / examples < accuracy:
                allowed = round((1 - accuracy) * examples)
                self.suspects = torch.cat(found)[: allowed + PROBED]
                return False
        return True


def _parts(labels: Tensor) -> list[slice]:
    """Return the parts that examples are evaluated in, in their order.

    On a CPU a part fits the cache. On a GPU a small part takes less time than its launches.
    """
    at_once = EVALUATED_AT_ONCE if labels.device.type == "cpu" else EVALUATED_ON_A_GPU
    return [slice(start, start + at_once) for start in range(0, len(labels), at_once)]
