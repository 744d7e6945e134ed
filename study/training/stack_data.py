"""StackData: the LightningDataModule that feeds one run or a whole stack from memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from study.data.prepare import DataCache, RunData
from study.nn.mlp import aligned_stack
from study.runs.packing import steps
from study.runs.progress import Progress
from study.runs.run import Run
from study.training.examples import epoch_order
from study.training.stack import Stack
from study.training.stack_batch import StackBatch

STEPS_AT_ONCE = 1_000


class RunTensors(RunData[Tensor]):
    """A run's data as tensors on the training device."""

    @classmethod
    def of(
        cls, data: RunData[NDArray[Any]], tensor: Callable[[NDArray[Any]], Tensor]
    ) -> RunTensors:
        """Make tensors of a run's arrays."""
        fields: dict[str, Any] = {
            name: value if isinstance(value, str) else tensor(value)
            for name, value in vars(data).items()
        }
        return cls(**fields)

    @property
    def hashes(self) -> tuple[str, str]:
        """The sha256 of the source's content, and of the examples with their labels."""
        return self.data_hash, self.labels_hash

    def train_part(self, part: slice | Tensor) -> Float[Tensor, "part feature"]:
        """Return the images of some of the examples trained on."""
        whole = len(self.examples) == len(self.train_images)
        return self.train_images[part if whole else self.examples[part]]

    def held_out(self, which: str) -> tuple[Callable[[slice | Tensor], Tensor], Tensor]:
        """Return what gives images of the ``test`` or ``validation`` set, and its true labels."""
        if which == "test":
            return self.test_images.__getitem__, self.test_labels
        chosen = self.validation_examples
        return lambda part: self.train_images[chosen[part]], self.validation_labels


class StackBatches:
    """One epoch of a stack, as `StackBatch`es of up to `STEPS_AT_ONCE` steps."""

    def __init__(self, data: StackData) -> None:
        self.data = data
        run = data.stack.first
        shape = (run.data.batch_size, run.widths[0])
        self.buffers = aligned_stack(len(data.stack.slots), shape).to(data.device)
        self.examples, self.at_once = run.data.examples, STEPS_AT_ONCE * run.data.batch_size

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
                slot.epoch * steps(slot.run),
            )
        for start in range(0, self.examples, self.at_once):
            yield StackBatch(epoch, self.buffers, slice(start, start + self.at_once))


class StackData(pl.LightningDataModule):
    """Images and labels of a run, of several that share a program, or of a stack.

    Its batches are for a `StackModule`; `StudyData` has ordinary ones of a single run. ``cache``
    has data sets loaded before, to share.

    Raises
    ------
    BadInput
        On `setup`: the data set is missing or damaged.

    Examples
    --------
    >>> from study import Data, Run
    >>> data = StackData(Run(data=Data(dataset="digits", label_noise=1.0)))
    >>> data.setup()
    >>> [images.shape for images, *_ in next(iter(data.train_dataloader())).of(slot=0)][0]
    torch.Size([100, 64])
    """

    def __init__(
        self,
        runs: Run | Sequence[Run] | Stack = Run(),
        cache: DataCache | None = None,
    ) -> None:
        super().__init__()
        self.stack = Stack.of(runs)
        self.cache = cache or DataCache()
        self._tensors: dict[str, RunTensors] = {}
        self._on_device: WeakValueDictionary[int, Tensor] = WeakValueDictionary()

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
            self._tensors[slot.run.id] = RunTensors.of(self.cache.prepare(slot.run), self._move)
        return self._tensors[slot.run.id]

    def _move(self, array: NDArray[np.generic]) -> Tensor:
        # Runs share arrays: each goes to the device once.
        moved = self._on_device.get(id(array))
        if moved is None:
            moved = torch.from_numpy(array).to(self.device)
            moved.array = array  # type: ignore[attr-defined]  # kept, lest its id name another
            self._on_device[id(array)] = moved
        return moved

    def _forget(self) -> None:
        """Let go of what only ended runs needed."""
        present = {slot.run.id for slot in self.stack.slots}
        if not self._tensors.keys() <= present:
            self._tensors = {k: v for k, v in self._tensors.items() if k in present}
            self.cache.keep_only([slot.run for slot in self.stack.slots])

    def train_dataloader(self) -> StackBatches:
        """Return one epoch's training batches, each run's in the epoch's own order."""
        return StackBatches(self)
