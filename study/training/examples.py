"""A run's examples as any LightningModule trains on them: batches from an ordinary `DataLoader`.

Lightning may put another sampler into the loader, e.g. for overfit_batches: batches stay batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch
from jaxtyping import Int
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
