"""A run's examples as any LightningModule trains on them: batches from an ordinary `DataLoader`.

Lightning may put another sampler into the loader, e.g. for overfit_batches: batches stay batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from study.base import streams
from study.runs.progress import Progress

Batch: TypeAlias = tuple[Tensor, Tensor]
Loader: TypeAlias = DataLoader[Batch]


class Examples(Dataset[Batch]):
    """Images and labels that a `DataLoader` takes a batch at a time, by one look-up.

    Parameters
    ----------
    images
        Gives the images of some examples, [batch, feature].
    labels
        All examples' labels.
    """

    def __init__(self, images: Callable[[Tensor], Tensor], labels: Int[Tensor, " example"]) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, example: int) -> Batch:
        images, labels = self.__getitems__([example])
        return images[0], labels[0]

    def __getitems__(self, examples: list[int]) -> Batch:
        chosen = torch.tensor(examples, device=self.labels.device)
        return self.images(chosen), self.labels[chosen]

    def loader(self, batch_size: int, order: Sampler[int] | None = None) -> Loader:
        """Return a loader of batches in some order, by default in the examples' own."""
        return DataLoader(self, batch_size, sampler=order, collate_fn=_as_it_is)


def _as_it_is(batch: Any) -> Any:
    return batch


def epoch_order(
    seed: int, examples: int, epoch: int, device: torch.device
) -> Int[Tensor, " example"]:
    """Return the order of a run's examples in an epoch, on the device that gathers them.

    It is that of `study.base.streams.permutation` on every device.

    Examples
    --------
    >>> epoch_order(3, 5, 7, torch.device("cpu")).tolist() == streams.permutation(
    ...     3, "order", 5, counter=7).tolist()
    True
    """
    if device.type == "cpu":
        return torch.from_numpy(streams.permutation(seed, "order", examples, epoch))
    return sorting_order(streams.words(seed, "order", examples, epoch), device)


def sorting_order(words: NDArray[np.uint64], device: torch.device) -> Int[Tensor, " word"]:
    """Return the order that sorts random words, found on a device.

    A processor takes milliseconds to sort an epoch's words, as long as a GPU may train on them.
    """
    # torch does not sort unsigned words; with the highest bit flipped, signed ones sort alike.
    signed = torch.from_numpy((words ^ np.uint64(1 << 63)).view(np.int64))
    if device.type == "cuda":
        signed = signed.pin_memory()  # so that the copy does not wait for what the GPU computes
    return signed.to(device, non_blocking=True).argsort()


class ExampleOrder(Sampler[int]):
    """The order of a run's examples: a pure function of (seed, epoch)."""

    def __init__(self, slot: Progress, examples: int) -> None:
        self.slot, self.run, self.examples, self.epoch = slot, slot.run, examples, 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.examples

    def __iter__(self) -> Iterator[int]:
        # A StackModule counts its run's epochs over several fits; Lightning counts this fit's.
        epoch = max(self.epoch, self.slot.epoch)
        order: list[int] = streams.permutation(
            self.run.seed, "order", self.examples, epoch
        ).tolist()
        return iter(order)
