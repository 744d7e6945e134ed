"""The mini-batches of a stack, as its engine takes them, each with its number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

from study.nn.mlp import aligned_stack

# A mini-batch: images, labels, and its number in the run's training, which addresses its dropout.
Numbered: TypeAlias = tuple[Tensor, Tensor, Tensor]


class StackBatch:
    """The next mini-batches of every run that trains.

    Runs do not feel each other, so each may take several steps at a time: what Lightning costs is
    paid once for them all, and a run's weights stay in a cache meanwhile.

    Parameters
    ----------
    epoch
        Each training slot's images, its examples in this epoch's order, their labels, and the
        number of the epoch's first mini-batch.
    buffers
        Where a slot's mini-batch is gathered, [slot, batch, feature].
    part
        Which of the epoch's examples, in mini-batches of the buffers' size.
    """

    def __init__(
        self,
        epoch: Mapping[int, tuple[Tensor, Tensor, Tensor, int]],
        buffers: Tensor,
        part: slice,
    ) -> None:
        self.epoch, self.buffers, self.part = epoch, buffers, part
        self.size = buffers.shape[1]
        # Of the part's mini-batches, were the epoch's first number 0.
        begin, end, _ = part.indices(len(next(iter(epoch.values()))[1]))
        self.numbers = torch.arange(begin, end, self.size, device=buffers.device) // self.size

    @classmethod
    def of_tensors(cls, images: Tensor, labels: Tensor, number: int = 0) -> StackBatch:
        """Return one mini-batch of every run: images [run, batch, feature], labels [run, batch]."""
        order = torch.arange(labels.shape[1], device=labels.device)
        epoch = {slot: (images[slot], order, labels[slot], number) for slot in range(len(labels))}
        return cls(epoch, aligned_stack(len(labels), images.shape[1:], images), slice(None))

    def of(self, slot: int) -> Iterator[Numbered]:
        """Yield a slot's images [batch, feature], in a buffer used again, labels and number."""
        images, examples, labels, first = self.epoch[slot]
        batches = (torch.split(each[self.part], self.size) for each in (examples, labels))
        for chosen, their_labels, number in zip(*batches, self.numbers + first, strict=True):
            out = self.buffers[slot, : len(chosen)]
            yield torch.index_select(images, 0, chosen, out=out), their_labels, number

    def of_all(self) -> Iterator[Numbered]:
        """Yield all slots' images [run, batch, feature], labels [run, batch] and numbers [run].

        Slots whose run has ended get something, with labels of zeros.
        """
        runs, device = len(self.buffers), self.buffers.device
        examples = next(iter(self.epoch.values()))[1][self.part]
        chosen = torch.zeros(runs, len(examples), dtype=torch.int64, device=device)
        labels = torch.zeros_like(chosen)
        numbers = self.numbers.new_zeros(len(self.numbers), runs)
        for slot, (_, order, ordered_labels, number) in self.epoch.items():
            chosen[slot], labels[slot] = order[self.part], ordered_labels[self.part]
            numbers[:, slot] = self.numbers + number
        sources = {id(images): images for images, *_ in self.epoch.values()}
        for now, their_labels, its_numbers in zip(
            torch.split(chosen, self.size, 1),
            torch.split(labels, self.size, 1),
            numbers,
            strict=True,
        ):
            out = self.buffers[:, : now.shape[1]]
            if len(sources) == 1 and out.is_contiguous():  # one launch for all
                (images,) = sources.values()
                torch.index_select(images, 0, now.flatten(), out=out.flatten(0, 1))
            else:
                for slot, (images, *_) in self.epoch.items():
                    torch.index_select(images, 0, now[slot], out=out[slot])
            yield out, their_labels, its_numbers
