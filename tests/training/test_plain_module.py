"""StudyModule as the specification of a run; test_lightning_features.py has what it offers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from helpers import YOUNGER, quiet_trainer, small_run, train_stack

from study import BadInput, Run, StackModule, StudyData, StudyModule
from study.nn.losses import cross_entropy
from study.nn.softmax import softmax
from study.training.plain_data import run_of


@pytest.mark.parametrize("precision", ["32-true", "64-true"])
def test_it_begins_with_the_stack_s_bits(precision: str) -> None:
    run = small_run(seed=5, **YOUNGER, **{"trainer.precision": precision})
    rows = StackModule(run).network.rows(0)
    pairs = list(zip(StudyModule(run).parameters(), rows, strict=True))
    assert all(torch.equal(mine, its) and mine.dtype == its.dtype for mine, its in pairs)


@pytest.mark.parametrize("facts", [{}, YOUNGER, {"model.dropout": 0.5, "model.hidden": [9, 7]}])
def test_it_ends_with_the_stack_s_weights(facts: dict[str, Any]) -> None:
    run = small_run(**{"trainer.precision": "64-true", "model.backward": "autograd", **facts})
    module = StudyModule(run)
    quiet_trainer(max_epochs=3, precision="64-true").fit(module, StudyData(run))
    for mine, its in zip(module.parameters(), train_stack([run])[0].network.rows(0), strict=True):
        assert torch.allclose(mine, its, rtol=0, atol=1e-12)


def test_a_step_sends_the_loss_back_by_the_run_s_rule() -> None:
    images, labels = torch.rand(7, 64), torch.randint(10, (7,))
    gradients = {}
    for rule in ("jacobian", "identity", "fused"):
        module = StudyModule(small_run(**{"model.backward": rule}))
        module.log = lambda *_, **__: None  # type: ignore[method-assign]
        module.training_step((images, labels), 0).backward()
        gradients[rule] = module.network[0].weight.grad
        assert gradients[rule] is not None
    expected = StudyModule(small_run())
    cross_entropy(softmax(expected(images), "identity"), labels).backward()
    assert torch.equal(gradients["identity"], expected.network[0].weight.grad)
    assert torch.allclose(gradients["jacobian"], gradients["fused"], atol=1e-7)
    assert not torch.allclose(gradients["jacobian"], gradients["identity"], atol=1e-3)


def test_another_run_s_data_are_refused_before_anything_is_loaded() -> None:
    other = StudyData(small_run(seed=1, **{"data.root": "nowhere"}))
    module = StudyModule(small_run())
    for method in ("fit", "test", "predict"):
        with pytest.raises(BadInput, match=r"StudyData: expected data .*found {'seed': 1}"):
            getattr(quiet_trainer(max_epochs=1), method)(module, other)


def test_a_wrong_fact_is_one_line() -> None:
    with pytest.raises(BadInput, match=r"label_nose: .* did you mean 'label_noise'"):
        StudyModule({"data.label_nose": 1.0})
    facts = {"optimizer.class_path": "torch.optim.SGD", "optimizer.rate": 1.0}
    module = StudyModule(Run.of({"data.dataset": "digits", **facts}))
    with pytest.raises(BadInput, match=r"optimizer.rate: expected one of optimizer.lr"):
        module.configure_optimizers()


def test_data_of_another_batch_size_are_refused() -> None:
    run = small_run()
    data = StudyData(run)
    data.batch_size = 50
    with pytest.raises(BadInput, match=r"StudyData: expected data of the module's run.*batch_size"):
        quiet_trainer(max_epochs=1).fit(StudyModule(run), data)


def test_a_checkpoint_gives_no_other_run_its_weights(tmp_path: Path) -> None:
    run = small_run()
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(StudyModule(run), StudyData(run))
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    checkpoint = torch.load(tmp_path / "one.ckpt", weights_only=True)
    checkpoint["hyper_parameters"]["seed"] = 9  # as load_from_checkpoint(path, seed=9) does
    with pytest.raises(BadInput, match=f"ckpt_path: .*found '{run.id}'"):
        StudyModule(run.with_seed(9)).on_load_checkpoint(checkpoint)


def test_masks_are_numbered_by_the_batches_that_are_trained_on() -> None:
    run = small_run(**{"model.dropout": 0.3})
    module, data = StudyModule(run), StudyData(run)
    module.batch_size = data.batch_size = 50
    numbers: list[int] = []

    class Note(pl.Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            numbers.append(module.dropout.number)

    with pytest.warns(UserWarning, match="no longer run"):
        quiet_trainer(max_epochs=3, callbacks=[Note()]).fit(module, data)
    assert numbers == list(range(18))


def test_what_is_no_run_is_one_line() -> None:
    with pytest.raises(BadInput, match="run: expected a Run, or its facts by dotted key, found 3"):
        run_of(3)  # type: ignore[arg-type]
