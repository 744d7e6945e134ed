"""StudyData: one run's examples in ordinary loaders, for any LightningModule."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import pytorch_lightning as pl
import torch

from study.base.errors import BadInput
from study.data.prepare import DataCache
from study.runs.run import Facts, Run
from study.training.examples import ExampleOrder, Examples, Loader
from study.training.stack_data import RunTensors

TESTED_AT_ONCE = 2_000


class StudyData(pl.LightningDataModule):
    """The examples of a run, with its labels and in its order.

    Under several processes each gets its share of every batch.

    Parameters
    ----------
    run
        A run, or its facts by dotted key.
    cache
        Data sets loaded before, to share.

    Raises
    ------
    BadInput
        On `setup`: the data set is missing or damaged. On `train_dataloader`: processes that cannot
        share each batch evenly.

    Examples
    --------
    >>> from study import Data, Run
    >>> data = StudyData(Run(data=Data(dataset="digits", label_noise=1.0)))
    >>> data.setup()
    >>> images, labels = next(iter(data.train_dataloader()))
    >>> images.shape, labels.shape
    (torch.Size([100, 64]), torch.Size([100]))
    """

    def __init__(self, run: Facts | Run, cache: DataCache | None = None) -> None:
        super().__init__()
        self.run = run_of(run)
        self.cache = cache or DataCache()
        # Lightning's tuner sets an attribute of this name.
        self.batch_size = self.run.data.batch_size

    @property
    def facts(self) -> Facts:
        """The run's facts, with the batch size that a tuner may have set."""
        return {**self.run.facts(), "data.batch_size": self.batch_size}

    @cached_property
    def tensors(self) -> RunTensors:
        """The run's data."""
        return RunTensors.of(self.cache.prepare(self.run), torch.from_numpy)

    def setup(self, stage: str | None = None) -> None:
        """Load the data, so that what is wrong with them is said before the training."""
        _ = self.tensors

    def train_dataloader(self) -> Loader:
        """Return the training batches, which can go on inside an epoch."""
        examples = Examples(self.tensors.train_part, self.tensors.labels)
        processes, rank = 1, 0
        if self.trainer is not None:
            processes, rank = self.trainer.world_size, self.trainer.global_rank
        order = ExampleOrder(self.run.seed, examples, self.batch_size, processes, rank)
        return examples.loader(self.batch_size // processes, order)

    def val_dataloader(self) -> Loader | list[Loader]:
        """Return the validation images with their true labels; no loader without a split."""
        if self.run.data.validation_examples:
            return Examples(*self.tensors.held_out("validation")).loader(TESTED_AT_ONCE)
        # Lightning warns where a module could be validated and is not.
        warnings.filterwarnings("ignore", message="Total length of `list` across ranks is zero")
        return []

    def test_dataloader(self) -> Loader:
        """Return the test images with their true labels."""
        return Examples(*self.tensors.held_out("test")).loader(TESTED_AT_ONCE)

    def predict_dataloader(self) -> Loader:
        """Return what `test_dataloader` does."""
        return self.test_dataloader()

    def state_dict(self) -> dict[str, Any]:
        """Return the batch size; a loader's place inside an epoch is the loader's own state."""
        return {"batch_size": self.batch_size}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a batch size that a tuner had set."""
        if state_dict["batch_size"] != self.run.data.batch_size:
            self.batch_size = state_dict["batch_size"]


def run_of(facts: Mapping[str, Any] | Run) -> Run:
    """Return a run of its facts by dotted key, as hyperparameters and LightningCLI have them.

    Examples
    --------
    >>> run_of({"seed": 3, "data.label_noise": 0.5}).data.label_noise
    0.5
    >>> run_of({"seed": 3, "data": {"label_noise": 0.5}}).data.label_noise
    0.5
    """
    if not isinstance(facts, (Run, Mapping)):
        raise BadInput("run", "a Run, or its facts by dotted key", facts)
    return facts if isinstance(facts, Run) else Run.of_record(facts)
