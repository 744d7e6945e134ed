"""StudyModule as the specification of a run; test_lightning_features.py has what it offers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers import YOUNGER, quiet_trainer, small_run, train_stack

from study import BadInput, Run, StackModule, StudyData, StudyModule
from study.nn.losses import cross_entropy
from study.nn.softmax import softmax


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
