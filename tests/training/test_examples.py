"""Batches of a single run under whatever sampler Lightning installs."""

from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch
from helpers import quiet_trainer, small_run
from torch import Tensor, nn
from torch.utils.data import DistributedSampler

from study import StudyData
from study.base import streams


class OrdinaryModule(pl.LightningModule):
    """A LightningModule that knows nothing of studies."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Linear(64, 10)
        self.seen: list[Tensor] = []

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        self.seen.append(labels.clone())
        return nn.functional.cross_entropy(self.network(images), labels)

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None: ...

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_batches_come_in_the_order_of_seed_and_epoch_with_a_smaller_last_one() -> None:
    run = small_run(seed=3, **{"data.batch_size": 128})
    data = StudyData(run)
    data.setup()
    tensors = data.tensors
    loader = data.train_dataloader()
    assert len(loader) == 3
    for epoch in (0, 4):
        loader.sampler.set_epoch(epoch)
        order = torch.from_numpy(streams.permutation(3, "order", 300, epoch))
        batches = list(loader)
        assert [len(labels) for _, labels in batches] == [128, 128, 44]
        images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
        assert torch.equal(labels, tensors.labels[order])
        assert torch.equal(images, tensors.train_images[tensors.examples[order]])


def test_any_lightning_module_trains_on_a_single_run_s_data() -> None:
    module = OrdinaryModule()
    data = StudyData(small_run(noise=0))
    quiet_trainer(max_epochs=3).fit(module, data)
    assert [len(labels) for labels in module.seen] == [100] * 9
    ((images, labels),) = data.test_dataloader()
    assert (module.network(images).argmax(-1) == labels).float().mean() > 0.5
    first, second = torch.cat(module.seen[:3]), torch.cat(module.seen[3:6])
    assert not torch.equal(first, second)
    assert torch.equal(first.sort().values, second.sort().values)


@pytest.mark.parametrize("size", [100, 128])
def test_overfit_batches_gives_whole_batches_always_the_same(size: int) -> None:
    run = small_run(noise=0, **{"data.batch_size": size})
    module, data = OrdinaryModule(), StudyData(run)
    with pytest.warns(UserWarning, match="overfit"):
        quiet_trainer(max_epochs=2, overfit_batches=2).fit(module, data)
    labels = data.tensors.labels
    assert [len(seen) for seen in module.seen] == [size] * 4
    assert torch.equal(torch.cat(module.seen[:2]), labels[: 2 * size])
    assert torch.equal(torch.cat(module.seen[2:]), labels[: 2 * size])


def test_another_sampler_than_the_run_s_is_given_its_examples() -> None:
    data = StudyData(small_run())
    data.setup()
    loader = data.train_dataloader()
    half = DistributedSampler(loader.dataset, num_replicas=2, rank=1, shuffle=False)
    labels = torch.cat([labels for _, labels in loader.dataset.loader(100, half)])
    assert torch.equal(labels, data.tensors.labels[1::2])
    image, label = loader.dataset[7]
    assert torch.equal(image, data.tensors.train_part(torch.tensor([7]))[0])
    assert label == data.tensors.labels[7]
