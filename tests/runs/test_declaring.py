"""Settings made in Python are checked as configs are."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from study.base.errors import BadInput
from study.runs.run import Run
from study.runs.settings import Data, Optimizer, Trainer
from study.runs.study import Study


@pytest.mark.parametrize("value", [True, "1", None, [1], 1 + 2j, float("nan"), float("-inf")])
def test_settings_made_in_python_are_checked_like_configs(value: Any) -> None:
    with pytest.raises(BadInput, match="label_noise: expected a probability"):
        Data(label_noise=value)
    with pytest.raises(BadInput, match="batch_size: expected a whole number"):
        Data(batch_size=value)


def test_whole_numbers_become_real_where_reals_are_declared() -> None:
    data = Data(label_noise=1)
    assert type(data.label_noise) is float
    assert data == Data(label_noise=1.0)


def test_settings_never_change_and_take_no_unknown_names() -> None:
    data = Data()
    with pytest.raises(ValidationError, match="frozen"):
        data.label_noise = 0.5
    with pytest.raises(BadInput, match=r"^label_nois: .*did you mean 'label_noise'"):
        Data(label_nois=1)


def test_faults_name_the_whole_key_however_deep_they_are() -> None:
    with pytest.raises(BadInput, match=r"^data.label_noise: expected a probability"):
        Run(data={"label_noise": 2})
    with pytest.raises(BadInput, match=r"^optimizer.lr: expected a number above 0"):
        Study(optimizer={"lr": 0})
    with pytest.raises(BadInput, match=r"^data: expected a mapping of keys to values, found 3"):
        Run(data=3)


def test_what_is_no_fact_travels_with_a_run_that_is_changed() -> None:
    trainer = Trainer(accelerator="cpu", logger=[{"class_path": "a.B"}])
    settings: dict[str, Any] = {"data": Data(root="sets"), "trainer": trainer, "evaluate_every": 3}
    run = Run(**settings)
    for changed in (
        run.with_seed(4),
        run.with_settings({"data.label_noise": 1, "optimizer.lr": 0.1, "model.hidden": [3]}),
        Study(**settings, vary={"data.inputs": ["gaussian"]}, seeds=[7]).runs[0],
        pickle.loads(pickle.dumps(run)),
    ):
        assert (changed.data.root, changed.trainer.accelerator) == ("sets", "cpu")
        assert changed.trainer.logger == [{"class_path": "a.B"}]
        assert changed.evaluate_every == 3
    assert run.with_settings({"trainer.accelerator": "gpu"}).trainer.accelerator == "gpu"
    assert run.with_settings({"trainer.accelerator": "gpu"}) == run


def test_an_id_that_was_looked_at_is_not_another_seeds() -> None:
    run = Run()
    ids = [run.id, run.with_seed(1).id, run.with_seed(0).id, run.with_seed(1).with_seed(2).id]
    assert ids == [Run(seed=seed).id for seed in (0, 1, 0, 2)]
    assert run.program == run.with_settings({"seed": 3}).program
    assert run.with_settings({"seed": 3}).id == Run(seed=3).id


def test_another_class_of_optimizer_keeps_the_arguments() -> None:
    sgd = Run(optimizer=Optimizer("torch.optim.SGD", lr=0.1))
    changed = [
        sgd.with_settings({"optimizer.class_path": name}).optimizer
        for name in ("torch.optim.RMSprop", "study.Adam")
    ]
    assert changed == [Optimizer("torch.optim.RMSprop", lr=0.1), Optimizer(lr=0.1)]
    assert Optimizer(init_args={"lr": 0.1}) == Optimizer(lr=0.1)
    with pytest.raises(BadInput, match=r"^lr: expected one value"):
        Optimizer(init_args={"lr": 0.1}, lr=0.2)
