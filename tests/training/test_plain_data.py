"""StudyData: shares of processes, and facts by other spellings."""

from __future__ import annotations

import pytest
import torch
from helpers import small_run

from study import BadInput, Data, Model, Optimizer, Run, StudyData, Trainer
from study.training.examples import ExampleOrder, Examples
from study.training.plain_data import run_of


def test_processes_share_each_batch_and_no_example_twice() -> None:
    examples = Examples(torch.arange(10).__getitem__, torch.arange(10))
    (whole,) = [list(ExampleOrder(3, examples, 4))]
    shares = [list(ExampleOrder(3, examples, 4, 2, rank)) for rank in range(2)]
    for at, size in ((0, 4), (4, 4), (8, 2)):
        batch = [share[at // 2 : (at + size) // 2] for share in shares]
        assert len(batch[0]) == len(batch[1])
        assert sorted(batch[0] + batch[1]) == sorted(whole[at : at + size])
    assert len(ExampleOrder(3, examples, 4, 2, 1)) == 5


@pytest.mark.parametrize(("batch_size", "processes"), [(5, 2), (4, 4)])
def test_uneven_shares_are_refused(batch_size: int, processes: int) -> None:
    examples = Examples(torch.arange(10).__getitem__, torch.arange(10))
    with pytest.raises(BadInput, match=f"devices: expected .* batch of .*, found {processes}"):
        ExampleOrder(3, examples, batch_size, processes, 0)


def test_a_loader_goes_on_in_its_epoch_only() -> None:
    data = StudyData(small_run(seed=3))
    data.setup()
    first, second = data.train_dataloader(), data.train_dataloader()
    first.sampler.set_epoch(4)
    batches = iter(first)
    next(batches)
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == first.state_dict() == {"epoch": 4, "batches": 1}
    second.sampler.set_epoch(4)
    rest = list(batches)
    assert all(torch.equal(a[1], b[1]) for a, b in zip(rest, second, strict=True))
    second.load_state_dict({"epoch": 4, "batches": 1})
    second.sampler.set_epoch(5)
    assert len(list(second)) == 3


def test_the_test_set_is_never_validated_on() -> None:
    data = StudyData(small_run())
    data.setup()
    assert data.val_dataloader() == []
    split = StudyData(small_run(**{"data.validation_examples": 40}))
    split.setup()
    ((images, labels),) = split.val_dataloader()
    chosen = split.tensors.validation_examples
    assert torch.equal(images, split.tensors.train_images[chosen])
    assert torch.equal(labels, split.tensors.validation_labels)


def test_facts_are_read_dotted_and_nested() -> None:
    nested = {
        "data": {"dataset": "digits", "label_noise": 0.5},
        "model": {"hidden": [32]},
        "trainer.max_epochs": 3,
        "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.1}},
    }
    sgd = Optimizer("torch.optim.SGD", lr=0.1)
    data, model = Data(dataset="digits", label_noise=0.5), Model(hidden=(32,))
    run = Run(data=data, model=model, trainer=Trainer(max_epochs=3), optimizer=sgd)
    assert run_of(run.facts()) == run_of(nested) == run
