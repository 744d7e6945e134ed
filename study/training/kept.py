"""What is kept of a network's answers while its run trains: a run's predictions.

A run's predictions are tensors by name, so that its checkpoints can hold them: ``train/…`` are of
up to 200 fixed training examples, a row for each evaluated epoch; ``last/…``, ``fit/…`` and
``best/…`` are of the whole test set after one epoch. ``best`` is the first epoch with the highest
validation accuracy, of runs that have a validation split.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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


def on_examples(network: Network, data: RunTensors) -> dict[str, Tensor]:
    """Return a network's answers on the fixed training examples."""
    chosen = spread(len(data.labels), KEPT)
    said, p = answers(network(data.train_part(chosen)), data.labels[chosen])
    return {"train/said": said.unsqueeze(0), "train/label_probability": p.unsqueeze(0)}


def on_test_set(network: Network, data: RunTensors) -> tuple[Tensor, Tensor]:
    """Return a network's answers on the test set, and their probabilities."""
    parts = parts_of(data.test_labels)
    return answers(torch.cat([network(data.test_images[part]) for part in parts]))


def add(slot: Progress, row: Mapping[str, Tensor]) -> None:
    """Add an epoch's answers on training examples to a run's predictions."""
    for name, value in {**row, "train/epoch": torch.tensor([slot.epoch])}.items():
        before = slot.predictions.get(name, value[:0])
        slot.predictions[name] = torch.cat([before, value])


def put(slot: Progress, at: str, found: tuple[Tensor, Tensor]) -> None:
    """Keep this epoch's answers on the test set as those of ``last``, ``fit`` or ``best``."""
    of_epoch = {"epoch": torch.tensor([slot.epoch]), "said": found[0], "confidence": found[1]}
    slot.predictions |= {f"{at}/{name}": value for name, value in of_epoch.items()}


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
