"""What a hook changes while a stack trains is refused, never dropped."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from helpers import quiet_trainer, same, small_run, train_stack
from pytorch_lightning import callbacks

from study import BadInput, StackData, StackModule


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
