"""What a stack refuses of Lightning's Trainer, before it trains or, at the latest, when seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
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
