"""StackData: the LightningDataModule that feeds one run or a whole stack from memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from study.data.prepare import DataCache
from study.nn.mlp import aligned_stack
from study.runs.progress import Progress
from study.runs.run import Run
from study.training.examples import ExampleOrder, Examples, Loader, epoch_order
from study.training.optimizers import updates_at_once
from study.training.stack import Stack

STEPS_AT_ONCE = 1_000
TESTED_AT_ONCE = 2_000


@dataclass(frozen=True)
class RunTensors:
    """A run's data on the training device: `study.data.prepare.RunData` as tensors."""

    train_images: Float[Tensor, "source feature"]
    test_images: Float[Tensor, "test feature"]
    examples: Int[Tensor, " batch"]
    labels: Int[Tensor, " batch"]
    true_labels: Int[Tensor, " batch"]
    redrawn: Tensor
    test_labels: Int[Tensor, " test"]
    test_noisy_labels: Int[Tensor, " test"]
    hashes: tuple[str, str]

    def train_part(self, part: slice | Tensor) -> Float[Tensor, "part feature"]:
        """Return the images of some of the examples trained on."""
        whole = len(self.examples) == len(self.train_images)
        return self.train_images[part if whole else self.examples[part]]


class StackBatch:
    """The next mini-batches of every run that trains.

    Runs do not feel each other, so each may take several steps at a time: what Lightning costs is
    paid once for them all, and a run's weights stay in a cache meanwhile.

    Parameters
    ----------
    epoch
        Each training slot's images, its examples in this epoch's order, and their labels.
    buffers
        Where a slot's mini-batch is gathered, [slot, batch, feature].
    part
        Which of the epoch's examples, in mini-batches of the buffers' size.
    """

    def __init__(
        self,
        epoch: Mapping[int, tuple[Tensor, Tensor, Tensor]],
        buffers: Tensor,
        part: slice,
    ) -> None:
        self.epoch, self.buffers, self.part = epoch, buffers, part
        self.size = buffers.shape[1]

    def of(self, slot: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield a slot's images [batch, feature], in a buffer used again, and labels [batch]."""
        images, examples, labels = self.epoch[slot]
        batches = (torch.split(each[self.part], self.size) for each in (examples, labels))
        for chosen, their_labels in zip(*batches, strict=True):
            out = self.buffers[slot, : len(chosen)]
            yield torch.index_select(images, 0, chosen, out=out), their_labels

    def of_all(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all slots' images [run, batch, feature] and labels [run, batch].

        Slots whose run has ended get something, with labels of zeros.
        """
        runs, device = len(self.buffers), self.buffers.device
        examples = next(iter(self.epoch.values()))[1][self.part]
        chosen = torch.zeros(runs, len(examples), dtype=torch.int64, device=device)
        labels = torch.zeros_like(chosen)
        for slot, (_, order, ordered_labels) in self.epoch.items():
            chosen[slot], labels[slot] = order[self.part], ordered_labels[self.part]
        sources = {id(images): images for images, _, _ in self.epoch.values()}
        for now, their_labels in zip(
            torch.split(chosen, self.size, 1), torch.split(labels, self.size, 1), strict=True
        ):
            out = self.buffers[:, : now.shape[1]]
            if len(sources) == 1 and out.is_contiguous():  # one launch for all
                (images,) = sources.values()
                torch.index_select(images, 0, now.flatten(), out=out.flatten(0, 1))
            else:
                for slot, (images, _, _) in self.epoch.items():
                    torch.index_select(images, 0, now[slot], out=out[slot])
            yield out, their_labels


class WholeBatch:
    """One mini-batch of every run, given as tensors: images [run, batch, feature] and labels."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def of(self, slot: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield a slot's images [batch, feature] and labels [batch]."""
        yield self.images[slot], self.labels[slot]

    def of_all(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all slots' images and labels."""
        yield self.images, self.labels


class StackBatches:
    """One epoch of a stack, as `StackBatch`es of up to `STEPS_AT_ONCE` steps."""

    def __init__(self, data: StackData) -> None:
        self.data = data
        run = data.stack.first
        shape = (run.data.batch_size, run.widths[0])
        self.buffers = aligned_stack(len(data.stack.slots), shape).to(data.device)
        # Other optimizers update all runs at once, after each step.
        steps = STEPS_AT_ONCE if updates_at_once(run.optimizer) else 1
        self.examples, self.at_once = run.data.examples, steps * run.data.batch_size

    def __len__(self) -> int:
        return -(-self.examples // self.at_once)

    def __iter__(self) -> Iterator[StackBatch]:
        epoch = {}
        if not self.data.stack.training:  # all of them have failed
            return
        for index in self.data.stack.training:
            slot = self.data.stack.slots[index]
            tensors = self.data.tensors(slot)
            shuffled = epoch_order(slot.run.seed, len(tensors.labels), slot.epoch, self.data.device)
            epoch[index] = (
                tensors.train_images,
                tensors.examples[shuffled],
                tensors.labels[shuffled],
            )
        for start in range(0, self.examples, self.at_once):
            yield StackBatch(epoch, self.buffers, slice(start, start + self.at_once))


class TestBatches:
    """The test set of a stack: the images that each of its runs sees, with their true labels.

    Images are [batch, feature] where all runs see the same ones, and else [run, batch, feature];
    labels are [batch] in both cases.
    """

    def __init__(self, data: StackData) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self._parts())

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        # Asked for anew each time, since slots change hands.
        every, labels = self._images(), self.data.tensors(self.data.stack.slots[0]).test_labels
        for part in self._parts():
            images = [each[part] for each in every]
            yield images[0] if len(images) == 1 else torch.stack(images), labels[part]

    def _images(self) -> list[Tensor]:
        """Return all runs' images, or only the first run's where they all see the same."""
        every = [self.data.tensors(slot).test_images for slot in self.data.stack.slots]
        return every[:1] if all(each is every[0] for each in every) else every

    def _parts(self) -> list[slice]:
        every = self._images()
        at_once = max(TESTED_AT_ONCE // len(every), 1)
        return [slice(at, at + at_once) for at in range(0, len(every[0]), at_once)]


class StackData(pl.LightningDataModule):
    """Images and labels of a run, or of all runs of a stack.

    Of a single run it gives ordinary batches, images [batch, feature] and labels [batch], that any
    LightningModule can train on; of several runs, `StackBatch`es.

    Parameters
    ----------
    runs
        A run, several that share a program, or a stack.
    cache
        Data sets loaded before, to share.

    Raises
    ------
    BadInput
        On `setup`: the data set is missing or damaged.

    Examples
    --------
    >>> from study import Data, Run
    >>> data = StackData(Run(data=Data(dataset="digits", label_noise=1.0)))
    >>> data.setup()
    >>> images, labels = next(iter(data.train_dataloader()))
    >>> images.shape, labels.shape
    (torch.Size([100, 64]), torch.Size([100]))
    """

    def __init__(
        self,
        runs: Run | Sequence[Run] | Stack = Run(),
        cache: DataCache | None = None,
    ) -> None:
        super().__init__()
        self.single = isinstance(runs, Run)
        self.stack = Stack.of(runs)
        self.cache = cache or DataCache()
        self._tensors: dict[str, RunTensors] = {}
        self._on_device: dict[int, tuple[NDArray[np.generic], Tensor]] = {}

    @property
    def device(self) -> torch.device:
        """Where batches are made: the trainer's device, or the CPU without one."""
        return self.trainer.strategy.root_device if self.trainer else torch.device("cpu")

    def setup(self, stage: str | None = None) -> None:
        """Load the data of the runs that have a slot."""
        for slot in self.stack.slots:
            try:
                self.tensors(slot)
            except Exception as error:  # whatever a condition of the user's raises
                self.stack.fail(slot, error)

    def tensors(self, slot: Progress) -> RunTensors:
        """Return the data of a slot's run, loading it when it is new."""
        if slot.run.id not in self._tensors:
            self._forget()
            prepared = self.cache.prepare(slot.run)
            arrays = {
                field.name: self._move(getattr(prepared, field.name))
                for field in fields(RunTensors)
                if field.name != "hashes"
            }
            hashes = (prepared.data_hash, prepared.labels_hash)
            self._tensors[slot.run.id] = RunTensors(hashes=hashes, **arrays)
        return self._tensors[slot.run.id]

    def _move(self, array: NDArray[np.generic]) -> Tensor:
        # Runs share arrays: each goes to the device once, and is kept, lest its id name another.
        if id(array) not in self._on_device:
            self._on_device[id(array)] = (array, torch.from_numpy(array).to(self.device))
        return self._on_device[id(array)][1]

    def _forget(self) -> None:
        """Let go of what only ended runs needed."""
        present = {slot.run.id for slot in self.stack.slots}
        if all(run_id in present for run_id in self._tensors):
            return
        self._tensors = {k: v for k, v in self._tensors.items() if k in present}
        self.cache.keep_only([slot.run for slot in self.stack.slots])
        kept = {
            id(tensor)
            for tensors in self._tensors.values()
            for tensor in vars(tensors).values()
            if isinstance(tensor, Tensor)
        }
        self._on_device = {k: v for k, v in self._on_device.items() if id(v[1]) in kept}

    def train_dataloader(self) -> Loader | StackBatches:
        """Return one epoch's training batches, in the epoch's own order."""
        if not self.single:
            return StackBatches(self)
        slot = self.stack.slots[0]
        tensors = self.tensors(slot)
        order = ExampleOrder(slot, len(tensors.labels))
        return Examples(tensors.train_part, tensors.labels).loader(slot.run.data.batch_size, order)

    def test_dataloader(self) -> Loader | TestBatches:
        """Return the test images, as each run sees them, with their true labels."""
        if not self.single:
            return TestBatches(self)
        tensors = self.tensors(self.stack.slots[0])
        test = Examples(tensors.test_images.__getitem__, tensors.test_labels)
        return test.loader(TESTED_AT_ONCE)

    def val_dataloader(self) -> Loader | TestBatches:
        """Return the test images: a study selects nothing, so it needs no third set."""
        return self.test_dataloader()
