"""What is kept of a network's answers while its run trains: a run's predictions.

A run's predictions are tensors by name, so that its checkpoints can hold them: ``train/…`` are of
up to 200 fixed training examples, a row for each evaluated epoch; ``last/…``, ``fit/…`` and
``best/…`` are of the whole test set after one epoch. ``best`` is the first epoch with the highest
validation accuracy, of runs that have a validation split.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from study.measures.network import Network, spread
from study.measures.predictions import answers, pixels
from study.runs.progress import Progress
from study.training.evaluation import parts_of
from study.training.stack_data import RunTensors

KEPT = 200  # training examples
TESTED = ("last", "fit", "best")
CHOSEN_BY = "validation_accuracy"


def kept_of(slot: Progress) -> list[str]:
    """Return what the epoch that was just evaluated is, of those whose test predictions are kept.

    Examples
    --------
    >>> from study.runs.run import Run
    >>> slot = Progress(Run(), epochs_to_fit=1, epoch=1)
    >>> slot.history = [{CHOSEN_BY: 0.5}, {CHOSEN_BY: 0.5}]
    >>> kept_of(slot)
    ['fit']
    """
    found = ["fit"] if slot.epochs_to_fit == slot.epoch else []
    *before, now = [row.get(CHOSEN_BY, -1.0) for row in slot.history]
    return found + (["best"] if now > max(before, default=-1.0) else [])


def keep(slot: Progress, network: Network, data: RunTensors) -> None:
    """Keep what a run's network answers in an epoch that was just evaluated."""
    chosen = spread(len(data.labels), KEPT)
    said, p = answers(network(data.train_part(chosen)), data.labels[chosen])
    row = {"said": said, "label_probability": p, "epoch": torch.tensor(slot.epoch)}
    for name, value in row.items():
        before = [slot.predictions[f"train/{name}"]] if f"train/{name}" in slot.predictions else []
        slot.predictions[f"train/{name}"] = torch.cat([*before, value.unsqueeze(0)])
    if at := kept_of(slot):
        keep_test(slot, at, network, data)


def keep_test(slot: Progress, at: Sequence[str], network: Network, data: RunTensors) -> None:
    """Keep a network's answers on the test set as those of ``last``, ``fit`` or ``best``."""
    parts = parts_of(data.test_labels)
    said, p = answers(torch.cat([network(data.test_images[part]) for part in parts]))
    found = {"epoch": torch.tensor([slot.epoch]), "said": said, "confidence": p}
    slot.predictions |= {f"{each}/{name}": v for each in at for name, v in found.items()}


def rows_of(slot: Progress, data: RunTensors) -> list[dict[str, Any]]:
    """Return a run's predictions as `study.records.predictions.answers_table` takes them."""
    kept = {name: value.numpy() for name, value in slot.predictions.items()}
    chosen = spread(len(data.labels), KEPT).to(data.labels.device)
    train, test = dict[str, Any](part="train", at=None), dict[str, Any](part="test")
    train |= {
        "example": data.examples[chosen].cpu().numpy(),
        "label": data.labels[chosen].cpu().numpy(),
        "true_label": data.true_labels[chosen].cpu().numpy(),
        "confidence": None,
    }
    test |= {"example": None, "true_label": None, "label_probability": None}
    test["label"] = data.test_labels.cpu().numpy()
    rows = []
    for number, epoch in enumerate(kept.get("train/epoch", ())):
        of_epoch = {name: kept[f"train/{name}"][number] for name in ("said", "label_probability")}
        rows.append({**train, **of_epoch, "epoch": int(epoch)})
    for at in TESTED:
        if f"{at}/epoch" in kept:
            found = {name: kept[f"{at}/{name}"] for name in ("said", "confidence")}
            rows.append({**test, **found, "at": at, "epoch": int(kept[f"{at}/epoch"][0])})
    return rows


def images_of(data: RunTensors) -> NDArray[np.uint8]:
    """Return the images of the fixed training examples, as `pixels` does."""
    return pixels(data.train_part(spread(len(data.labels), KEPT)))
