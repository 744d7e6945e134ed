"""What a stack refuses of Lightning's Trainer, before it trains or, at the latest, when seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from helpers import quiet_trainer, same, small_run, train_stack
from pytorch_lightning import callbacks

from study import BadInput, StackData, StackModule
from study.training.refusals import check_callback


class Observer(pl.Callback):
    """Looks on, through every hook that only observes."""

    def __init__(self) -> None:
        self.epochs: list[float] = []

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self.stage = stage

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        row = {"epoch": trainer.current_epoch}
        row["loss"] = self._filled(row)
        self.epochs.append(row["epoch"])

    def _filled(self, row: dict[str, Any]) -> float:
        row["seen"] = True
        return 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"epochs": self.epochs}


class SetsAttribute(pl.Callback):
    """Stops by a helper method of its own."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._end(trainer)

    def _end(self, whom: Any) -> None:
        whom.should_stop = True


class SetsByName(pl.Callback):
    """Stops without an assignment."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        setattr(trainer, "should_stop", True)  # noqa: B010


class SetsLearningRate(pl.Callback):
    """Changes the optimizer's numbers."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.optimizers[0].param_groups[0]["lr"] = 1.0


class SeesGradients(pl.Callback):
    """Waits for gradients that a stack never gives to hooks."""

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        raise AssertionError


class Inherits(SetsAttribute):
    """Stops by what it inherits."""


INTERFERING = [
    (callbacks.EarlyStopping("train_accuracy"), "it sets trainer.should_stop"),
    (callbacks.Timer(duration="00:00:00:01"), "it sets trainer.should_stop"),
    (callbacks.StochasticWeightAveraging(1e-2), "it sets "),
    (callbacks.GradientAccumulationScheduler({0: 2}), "it sets trainer.accumulate_grad_batches"),
    (callbacks.ModelPruning("l1_unstructured"), "it sets "),
    (callbacks.BackboneFinetuning(), "it sets "),
    (callbacks.LearningRateFinder(), "it sets what is a fact of each run"),
    (
        callbacks.LearningRateMonitor(),
        "it overrides on_train_batch_start, which is refused even",
    ),
    (callbacks.DeviceStatsMonitor(), "it overrides on_train_batch_start"),
    (callbacks.LambdaCallback(on_before_backward=print), "it overrides on_before_backward"),
    (SetsAttribute(), "it sets whom.should_stop"),
    (Inherits(), "it sets whom.should_stop"),
    (SetsByName(), "it sets setattr"),
    (SetsLearningRate(), "it sets trainer.optimizers"),
    (SeesGradients(), "it overrides on_after_backward"),
]
OBSERVING = [
    Observer(),
    callbacks.ModelCheckpoint(),
    callbacks.ModelSummary(),
    callbacks.RichModelSummary(),
    callbacks.LambdaCallback(on_train_epoch_end=print),
]


@pytest.mark.parametrize(("callback", "reason"), INTERFERING, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("runs", [1, 2])
def test_a_callback_that_can_stop_or_change_a_run_is_refused_before_anything_is_set_up(
    callback: pl.Callback, reason: str, runs: int
) -> None:
    stack = [small_run(seed) for seed in range(runs)]
    module = StackModule(stack)
    with pytest.raises(BadInput, match=r"expected a callback that only observes") as refused:
        quiet_trainer(callbacks=[callback]).fit(module, StackData(stack))
    assert type(callback).__name__ in str(refused.value)
    assert reason in str(refused.value)
    assert "stop.train_accuracy" in str(refused.value)
    assert not hasattr(module, "engine")


@pytest.mark.parametrize("callback", OBSERVING, ids=lambda v: type(v).__name__)
def test_a_callback_that_only_observes_is_welcome(callback: pl.Callback) -> None:
    check_callback(callback, "callbacks")


def test_an_observer_sees_every_epoch_and_changes_no_bit() -> None:
    observer, runs = Observer(), [small_run(0), small_run(1)]
    module = StackModule(runs)
    quiet_trainer(callbacks=[observer]).fit(module, StackData(runs))
    assert observer.epochs == [0, 1, 2]
    alone = train_stack(runs)[1]
    for slot, other in zip(module.stack.slots, alone.slots, strict=True):
        assert same(slot.history, other.history)


def stop(trainer: pl.Trainer) -> None:
    """Stop where no look at a callback's code finds it."""
    trainer.should_stop = True


class Sly(callbacks.Checkpoint):
    """Stops in one hook, at its first call in the second epoch."""

    def __init__(self, hook: str) -> None:
        self.hook = hook
        setattr(self, hook, self._stop)

    def _stop(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.current_epoch >= 1 or self.hook in ("on_fit_start", "on_train_start"):
            stop(trainer)


BY_EPOCH = {"class_path": "torch.optim.lr_scheduler.ExponentialLR", "init_args": {"gamma": 0.5}}


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"optimizer.class_path": "torch.optim.Adam"},
        {"optimizer.schedule": BY_EPOCH},
        {"optimizer.schedule": {**BY_EPOCH, "interval": "step"}},
    ],
    ids=["Adam", "torch's", "each epoch", "each step"],
)
@pytest.mark.parametrize(
    "hook",
    ["on_fit_start", "on_train_start", "on_train_epoch_start", "on_train_batch_end"],
)
def test_a_stop_that_no_look_at_the_code_finds_ends_whole_epochs_with_one_clear_line(
    hook: str, facts: dict[str, Any]
) -> None:
    kept = {k: v for k, v in small_run().facts().items() if not k.startswith("optimizer.")}
    kept["trainer.max_epochs"] = 6
    runs = [type(small_run()).of({**kept, **facts, "seed": seed}) for seed in range(2)]
    module, data = StackModule(runs), StackData(runs)
    with pytest.raises(BadInput, match=r"found 'Sly'; should_stop was set, .* stop\.train_acc"):
        quiet_trainer(callbacks=[Sly(hook)], enable_checkpointing=True).fit(module, data)
    epochs = 2 if hook in ("on_train_epoch_start", "on_train_batch_end") else 1
    assert [slot.epoch for slot in module.stack.slots] == [epochs, epochs]
    quiet_trainer().fit(module, data)
    for slot, other in zip(module.stack.slots, train_stack(runs)[1].slots, strict=True):
        assert same(slot.history, other.history)


def test_a_stop_on_validation_ends_the_epoch_as_a_whole() -> None:
    run = small_run(**{"trainer.max_epochs": 6, "data.validation_examples": 50})
    module = StackModule(run)
    sly = {"callbacks": [Sly("on_validation_end")], "enable_checkpointing": True}
    trainer = quiet_trainer(**sly, limit_val_batches=1, num_sanity_val_steps=0)
    with pytest.raises(BadInput, match="should_stop was set"):
        trainer.fit(module, StackData(run))
    assert module.stack.slots[0].epoch == 2


def test_a_stop_when_all_runs_have_ended_changes_nothing() -> None:
    run = small_run(**{"trainer.max_epochs": 2})
    module = StackModule(run)
    sly = {"callbacks": [Sly("on_train_batch_end")], "enable_checkpointing": True}
    quiet_trainer(**sly).fit(module, StackData(run))
    assert not module.stack.slots[0].training


def halve(module: pl.LightningModule) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(0.5)


class Shrinks(pl.Callback):
    """Changes the weights where no look at its code finds it."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        halve(pl_module)


def faster(trainer: pl.Trainer) -> None:
    for group in trainer.optimizers[0].param_groups:
        group["lr"] *= 2


class Hastens(pl.Callback):
    """Changes the learning rate where no look at its code finds it."""

    def __init__(self, hook: str) -> None:
        setattr(self, hook, lambda trainer, *_: faster(trainer))


@pytest.mark.parametrize("hook", ["on_fit_start", "on_train_epoch_start", "on_train_epoch_end"])
def test_a_learning_rate_set_in_a_hook_is_refused_and_not_dropped(hook: str) -> None:
    runs = [small_run(0), small_run(1)]
    with pytest.raises(BadInput, match=r"optimizer\.lr: expected 0\.001, as the run's, found 0\.0"):
        quiet_trainer(callbacks=[Hastens(hook)]).fit(StackModule(runs), StackData(runs))


def test_weights_changed_in_a_hook_are_refused() -> None:
    runs = [small_run(0), small_run(1)]
    with pytest.raises(BadInput, match="weights that only the training changes"):
        quiet_trainer(callbacks=[Shrinks()]).fit(StackModule(runs), StackData(runs))


def freeze_all(module: pl.LightningModule) -> None:
    module.freeze()


class Freezes(pl.Callback):
    """Freezes the parameters where no look at its code finds it."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        freeze_all(pl_module)


def test_parameters_frozen_in_a_hook_are_refused() -> None:
    runs = [small_run(0), small_run(1)]
    with pytest.raises(BadInput, match="parameters that all train"):
        quiet_trainer(callbacks=[Freezes()]).fit(StackModule(runs), StackData(runs))


@pytest.mark.parametrize(
    ("flag", "value", "instead"),
    [
        ("fast_dev_run", True, "trainer.max_epochs"),
        ("overfit_batches", 2, "data.train_examples"),
        ("limit_train_batches", 2, "data.train_examples"),
        ("limit_train_batches", 0.5, "data.train_examples"),
        ("max_steps", 7, "trainer.max_epochs"),
        ("min_epochs", 9, "stop"),
        ("min_steps", 9, "stop"),
        ("accumulate_grad_batches", 2, "data.batch_size"),
        ("gradient_clip_val", 1.0, "trainer.gradient_clip_val"),
    ],
)
@pytest.mark.parametrize("several", [False, True])
def test_a_flag_that_means_something_else_on_a_stack_is_refused_by_name(
    flag: str, value: Any, instead: str, several: bool
) -> None:
    runs = [small_run(0), small_run(1)] if several else small_run()
    with pytest.raises(BadInput, match=rf"{flag} left out, .* found '{flag}=.*; .*{instead}"):
        quiet_trainer(**{"max_epochs": 2, flag: value}).fit(StackModule(runs), StackData(runs))


def test_frozen_parameters_are_refused_and_thawed_ones_train() -> None:
    run = small_run()
    module = StackModule(run)
    module.freeze()
    with pytest.raises(BadInput, match=r"parameters that all train, found 'frozen network\.w"):
        quiet_trainer().fit(module, StackData(run))
    module.unfreeze()
    quiet_trainer().fit(module, StackData(run))
    assert same(module.stack.slots[0].history, train_stack([run])[1].slots[0].history)


TWO = """
import pytorch_lightning as pl
from study import Data, Model, Run, StackData, StackModule
run = Run(data=Data(dataset="digits"), model=Model(hidden=(8,)))
trainer = pl.Trainer(accelerator="cpu", devices=2, max_epochs=2, logger=False,
                     enable_checkpointing=False, enable_progress_bar=False)
trainer.fit(StackModule(run), StackData(run))
print("trained")
"""


@pytest.mark.slow
def test_two_processes_that_would_train_two_networks_are_refused(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(TWO)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "trained" not in done.stdout
    line = "Trainer: expected one process (devices=1, num_nodes=1), found '2 processes'"
    assert line in done.stderr
