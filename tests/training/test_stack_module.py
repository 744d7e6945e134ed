"""StackModule and StackData as somebody uses them who knows Lightning and not the command."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from helpers import YOUNGER, quiet_trainer, same, small_run, train_stack
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.loggers import CSVLogger

from study import BadInput, StackData, StackModule, StudyData
from study.nn.mlp import StackedMLP
from study.training.evaluation import evaluate


@pytest.mark.parametrize("facts", [YOUNGER, {**YOUNGER, "model.gradients": "autograd"}])
def test_a_plain_trainer_gives_the_bits_that_a_stack_gives(facts: dict[str, Any]) -> None:
    run = small_run(**facts)
    module = StackModule(run)
    trainer = quiet_trainer(max_epochs=3)
    trainer.fit(module, StackData(run))
    assert same(module.stack.slots[0].history, train_stack([run])[1].slots[0].history)
    assert trainer.global_step == 3  # one an epoch
    last = module.stack.slots[0].history[-1]
    logged = trainer.callback_metrics
    assert float(logged["train_accuracy"]) == pytest.approx(last["train_accuracy"])
    assert float(logged["validation_accuracy"]) == pytest.approx(last["validation_accuracy"])
    assert last["validation_accuracy"] != last["test_accuracy"]


def test_lightning_s_other_loops_are_refused_as_the_history_has_what_they_would_log() -> None:
    run = small_run()
    with pytest.raises(MisconfigurationException, match="No `test_step"):
        quiet_trainer().test(StackModule(run), StackData(run), verbose=False)
    with pytest.raises(BadInput, match=r"study\.StackData of its runs, found 'StudyData'"):
        quiet_trainer().fit(StackModule(run), StudyData(run))


def test_lightning_s_callbacks_and_loggers_see_the_runs(tmp_path: Path) -> None:
    run = small_run(noise=0)
    saving = pl.callbacks.ModelCheckpoint(tmp_path, monitor="train_accuracy", mode="max")
    trainer = quiet_trainer(
        callbacks=[saving], enable_checkpointing=True, logger=CSVLogger(tmp_path)
    )
    module = StackModule(run)
    trainer.fit(module, StackData(run))
    best = max(row["train_accuracy"] for row in module.stack.slots[0].history[1:])
    assert float(saving.best_model_score) == pytest.approx(best)
    assert "train_accuracy" in (Path(trainer.log_dir or "") / "metrics.csv").read_text()


def test_a_value_that_some_runs_lack_is_the_mean_of_the_others() -> None:
    def logged(*noises: float) -> dict[str, float]:
        runs = [small_run(seed, noise) for seed, noise in enumerate(noises)]
        trainer = quiet_trainer()
        module = StackModule(runs)
        trainer.fit(module, StackData(runs))
        rows = [slot.history[-1] for slot in module.stack.slots]
        assert float(trainer.callback_metrics["train_accuracy"]) == pytest.approx(
            sum(row["train_accuracy"] for row in rows) / len(rows)
        )
        return {
            "logged": trainer.callback_metrics.get("train_accuracy_redrawn"),
            "rows": [row["train_accuracy_redrawn"] for row in rows],
        }

    mixed = logged(0.0, 0.5, 1.0)
    assert math.isnan(mixed["rows"][0])
    assert float(mixed["logged"]) == pytest.approx(sum(mixed["rows"][1:]) / 2)
    assert logged(0.0, 0.0)["logged"] is None


def test_stack_batches_have_a_run_dimension_and_ordinary_ones_do_not() -> None:
    stacked = StackData([small_run(0), small_run(1)])
    stacked.setup()
    images, labels, _ = next(next(iter(stacked.train_dataloader())).of_all())
    assert images.shape == (2, 100, 64)
    assert labels.shape == (2, 100)
    single = StudyData(small_run(1))
    single.setup()
    alone, alone_labels = next(iter(single.train_dataloader()))
    assert torch.equal(images[1], alone)
    assert torch.equal(labels[1], alone_labels)


def test_a_last_batch_that_is_smaller_is_trained_on() -> None:
    run = small_run(**{"data.batch_size": 128})
    data = StackData([run])
    data.setup()
    (batch,) = data.train_dataloader()
    sizes = [len(labels) for _, labels, _ in batch.of(0)]
    assert sizes == [128, 128, 44]
    assert train_stack([run])[1].slots[0].epoch == 3


def test_runs_that_see_the_same_images_share_them() -> None:
    data = StackData([small_run(0), small_run(1), small_run(2, **{"data.inputs": "gaussian"})])
    data.setup()
    first, second, noise = (data.tensors(slot) for slot in data.stack.slots)
    assert first.train_images is second.train_images
    assert noise.train_images is not first.train_images


def test_evaluation_keeps_accuracy_three_ways() -> None:
    row = train_stack([small_run(noise=0.5, **{"trainer.max_epochs": 5})])[1].slots[0].history[-1]
    data = StackData(small_run(noise=0.5))
    data.setup()
    redrawn = data.tensors(data.stack.slots[0]).redrawn.float().mean().item()
    both = redrawn * row["train_accuracy_redrawn"] + (1 - redrawn) * row["train_accuracy_untouched"]
    assert row["train_accuracy"] == pytest.approx(both)
    assert row["train_accuracy_true"] != row["train_accuracy"]
    assert row["train_accuracy_untouched"] > row["train_accuracy_redrawn"]


def test_runs_keep_their_own_labels_where_data_are_copied_to_a_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A copy leaves the array to be freed, and its address to be given to the next run's.
    share = torch.from_numpy
    monkeypatch.setattr("torch.from_numpy", lambda array: share(array).clone())
    runs = [small_run(seed, noise=1, **{"trainer.max_epochs": 1}) for seed in range(12)]
    _, stack = train_stack(runs)
    monkeypatch.undo()
    for slot in stack.all:
        assert same(slot.history, train_stack([slot.run])[1].slots[0].history)


def test_fit_called_again_goes_on_where_it_ended() -> None:
    run = small_run(**YOUNGER, **{"trainer.max_epochs": 6})
    module, data = StackModule(run), StackData(run)
    for _ in range(2):
        quiet_trainer(max_epochs=3).fit(module, data)
    assert same(module.stack.slots[0].history, train_stack([run])[1].slots[0].history)


def test_lightning_s_own_checkpoint_is_gone_on_from(tmp_path: Path) -> None:
    run = small_run(**YOUNGER, **{"trainer.max_epochs": 6})
    first = StackModule(run)
    saving = pl.callbacks.ModelCheckpoint(tmp_path, save_last=True)
    trainer = quiet_trainer(max_epochs=3, callbacks=[saving], enable_checkpointing=True)
    trainer.fit(first, StackData(run))
    second = StackModule(run)
    quiet_trainer().fit(second, StackData(run), ckpt_path=tmp_path / "last.ckpt")
    assert same(second.stack.slots[0].history, train_stack([run])[1].slots[0].history)
    other = small_run(seed=7, **{"trainer.max_epochs": 6})
    third = StackModule(other)
    with pytest.raises(BadInput, match="a checkpoint of the runs"):
        quiet_trainer().fit(third, StackData(other), ckpt_path=tmp_path / "last.ckpt")


def test_data_of_other_runs_and_another_precision_are_refused() -> None:
    first, second = small_run(0), small_run(1)
    with pytest.raises(BadInput, match="data of the module's runs"):
        quiet_trainer().fit(StackModule(first), StackData(second))
    double = small_run(**{"trainer.precision": "64-true"})
    with pytest.raises(BadInput, match="precision 64-true"):
        quiet_trainer().fit(StackModule(double), StackData(double))


@pytest.mark.parametrize("precision", ["32-true", "64-true"])
def test_before_fit_the_module_holds_each_run_s_own_first_weights(precision: str) -> None:
    facts = {"trainer.precision": precision, "model.init_scale": 2.0}
    runs = [small_run(seed, **facts) for seed in (5, 2)]
    module = StackModule(runs)
    dtype = torch.float64 if precision == "64-true" else torch.float32
    for index, run in enumerate(runs):
        expected = StackedMLP(1, run.widths).to(dtype)
        expected.initialize(0, run.seed, scale=2.0)
        rows = zip(module.network.rows(index), expected.rows(0), strict=True)
        assert all(torch.equal(row, other) for row, other in rows)


def test_weights_loaded_before_fit_are_trained_on_from() -> None:
    run = small_run()
    taught = train_stack([small_run(seed=8, noise=1.0, **{"trainer.max_epochs": 9})])[0]
    module, data = StackModule(run), StackData(run)
    module.load_state_dict(taught.state_dict())
    quiet_trainer(max_epochs=1).fit(module, data)
    first = module.stack.slots[0].history[0]
    expected = evaluate(lambda x: taught.network(x)[0], data.tensors(data.stack.slots[0]))
    assert first["train_cross_entropy"] == pytest.approx(expected["train_cross_entropy"])
    module.load_state_dict(taught.state_dict())
    quiet_trainer(max_epochs=0).fit(module, data)
    assert all(
        torch.equal(value, taught.state_dict()[name]) for name, value in module.state_dict().items()
    )


def test_routes_that_are_no_function_are_refused_at_once() -> None:
    # In a process of its own: in this one every argument's type is checked before.
    program = "from study import StackModule; StackModule(routes={})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "BadInput: routes: expected a function of a run, found {}" in done.stderr
