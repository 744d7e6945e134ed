"""A run's examples as any LightningModule trains on them: batches from an ordinary `DataLoader`.

Lightning may put another sampler into the loader, e.g. for overfit_batches: batches stay batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Sampler

from study.base import streams
from study.base.errors import BadInput

Batch: TypeAlias = tuple[Tensor, Tensor]


class Loader(DataLoader[Batch]):
    """A loader that Lightning can resume inside an epoch, where it had stopped."""

    _at: Mapping[str, int] = {"epoch": 0, "batches": 0}
    _resumed: Mapping[str, int] | None = None

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # torch's own is no generator
        # A generator, so that the epoch is read with the first batch, when Lightning has set it.
        epoch = getattr(self.sampler, "epoch", 0)
        resumed, self._resumed = self._resumed, None
        skipped = resumed["batches"] if resumed and resumed["epoch"] == epoch else 0
        self._at = {"epoch": epoch, "batches": skipped}
        for number, batch in enumerate(super().__iter__(), start=1):
            if number > skipped:
                self._at = {"epoch": epoch, "batches": number}
                yield batch

    def state_dict(self) -> dict[str, int]:
        """Return the epoch and how many of its batches have been given."""
        return dict(self._resumed or self._at)

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Skip the batches that had been given, should their epoch be the next one."""
        self._resumed = state_dict


class Examples(Dataset[Batch]):
    """Images and labels that a `DataLoader` takes a batch at a time, by one look-up.

    ``images`` gives those of some examples, [batch, feature].
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
        # By keywords: Lightning makes some loaders anew, with another sampler.
        return Loader(self, batch_size=batch_size, sampler=order, collate_fn=_as_it_is)


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


class ExampleOrder(DistributedSampler[int]):
    """The order of a run's examples, a pure function of (seed, epoch); or a process's share of it.

    A batch is what all processes see in a step. Lightning puts no other sampler in place of a
    `DistributedSampler`.

    Raises
    ------
    BadInput
        The processes cannot share each batch evenly: the mean of their gradients would not be the
        batch's.
    """

    def __init__(
        self, seed: int, examples: Examples, batch_size: int, processes: int = 1, rank: int = 0
    ) -> None:
        super().__init__(examples, processes, rank)
        self.seed, self.examples, self.batch_size = seed, len(examples), batch_size
        for size in (batch_size, self.examples % batch_size):
            if size % processes:
                raise BadInput("devices", f"a number that divides a batch of {size}", processes)

    def __len__(self) -> int:
        return self.examples // self.num_replicas

    def __iter__(self) -> Iterator[int]:
        order = streams.permutation(self.seed, "order", self.examples, self.epoch).tolist()
        for start in range(0, self.examples, self.batch_size):
            yield from order[start : start + self.batch_size][self.rank :: self.num_replicas]
