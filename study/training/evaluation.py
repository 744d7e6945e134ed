"""Exact evaluation of one run's network: on what it trains on, and on test and validation sets."""

from __future__ import annotations

import torch
from torch import Tensor

from study.measures.metrics import accuracies_under_noise, metrics
from study.measures.network import Network
from study.nn.products import EVALUATED_AT_ONCE
from study.training.stack_data import RunTensors

PROBED = 100  # examples that `FitCheck` looks at first
EVALUATED_ON_A_GPU = 10_000  # examples at once


@torch.no_grad()
def evaluate(network: Network, data: RunTensors) -> dict[str, float]:
    """Return a network's metrics, as a row of ``history`` has them."""
    train = torch.cat([network(data.train_part(part)) for part in parts_of(data.labels)])
    of_train = metrics(train, data.labels)
    of_train |= accuracies_under_noise(train, data.labels, data.true_labels, data.redrawn)
    found = {"train": of_train}
    noisy = {"test": data.test_noisy_labels, "validation": data.validation_noisy_labels}
    for which, noisy_labels in noisy.items():
        images, labels = data.held_out(which)
        if len(labels):
            z = torch.cat([network(images(part)) for part in parts_of(labels)])
            found[which], found[f"{which}_noisy"] = metrics(z, labels), metrics(z, noisy_labels)
    return {f"{part}_{name}": value for part, row in found.items() for name, value in row.items()}


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
        for part in parts_of(data.labels):
            missed = network(data.train_part(part)).argmax(-1) != data.labels[part]
            found.append(part.start + missed.nonzero().squeeze(-1))
            wrong += len(found[-1])
            if (examples - wrong) / examples < accuracy:
                allowed = round((1 - accuracy) * examples)
                self.suspects = torch.cat(found)[: allowed + PROBED]
                return False
        return True


def parts_of(labels: Tensor) -> list[slice]:
    """Return the parts that examples are evaluated in, in their order.

    On a CPU a part fits the cache. On a GPU a small part takes less time than its launches.
    """
    at_once = EVALUATED_AT_ONCE if labels.device.type == "cpu" else EVALUATED_ON_A_GPU
    return [slice(start, start + at_once) for start in range(0, len(labels), at_once)]
