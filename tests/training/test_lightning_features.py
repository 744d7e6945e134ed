"""Every row of the table in docs/lightning.md, tried with StudyModule and StudyData."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import yaml
from helpers import quiet_trainer, small_run, train_stack
from lightning_rows import FACTS, ROWS, RUN, SPLIT, Seen, Try, apart, columns, fit, is_no_run, row
from pytorch_lightning import callbacks as lightning
from pytorch_lightning.cli import LightningCLI
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger, WandbLogger
from pytorch_lightning.profilers import SimpleProfiler

from study import BadInput, Run, StudyData, StudyModule


@row("`fast_dev_run`")
def try_fast_dev_run(folder: Path) -> None:
    assert fit(fast_dev_run=True)[1].global_step == 1


@row("`limit_train_batches`, `limit_val_batches`, `limit_test_batches`, `limit_predict_batches`")
def try_limits(folder: Path) -> None:
    limits = dict.fromkeys([f"limit_{s}_batches" for s in ("train", "val", "test", "predict")], 1)
    seen = Seen()
    module, trainer = fit(SPLIT, callbacks=[seen], max_epochs=1, **limits)
    assert [len(labels) for labels in seen.labels] == [100]
    loader = StudyData(SPLIT)
    assert len(trainer.predict(module, loader)) == 1
    assert seen.validations == 2  # the first is Lightning's sanity check


@row("`val_check_interval`")
def try_val_check_interval(folder: Path) -> None:
    seen = Seen()
    flags = {"val_check_interval": 1, "limit_val_batches": None, "num_sanity_val_steps": 0}
    _, trainer = fit(SPLIT, callbacks=[seen], **flags)
    assert seen.validations == 6
    assert "val_accuracy" in trainer.callback_metrics


@row("`max_steps`")
def try_max_steps(folder: Path) -> None:
    module, trainer = fit(max_epochs=-1, max_steps=3)
    assert trainer.global_step == 3
    assert apart(module, fit(max_epochs=1)[0]) == 0


@row("`accumulate_grad_batches`")
def try_accumulate(folder: Path) -> None:
    # Each batch has masks of its own, so the whole can be compared without dropout only.
    module, trainer = fit(small_run(noise=0.0), accumulate_grad_batches=3)
    assert trainer.global_step == 2
    whole = small_run(noise=0.0, **{"data.batch_size": 300})
    assert apart(module, fit(whole)[0]) < 1e-6


@row("`gradient_clip_val`, `gradient_clip_algorithm`")
def try_clipping(folder: Path) -> None:
    clipped = {"gradient_clip_val": 1e-3, "gradient_clip_algorithm": "value"}
    facts = {f"trainer.{key}": value for key, value in clipped.items()}
    by_fact, _ = fit(small_run(noise=0.0, **FACTS, **facts))
    assert apart(by_fact, fit(**clipped)[0]) == 0
    assert apart(by_fact, fit()[0]) > 1e-3


@row("`precision`: `bf16-mixed`, `64-true`")
def try_precision(folder: Path) -> None:
    narrow, _ = fit(precision="bf16-mixed")
    wide, _ = fit(precision="64-true")
    exact, _ = fit()
    assert 0 < apart(exact, narrow) < 1e-2
    assert 0 < apart(exact, wide) < 1e-5
    double = small_run(noise=0.0, **FACTS, **{"trainer.precision": "64-true"})
    assert apart(fit(double)[0], wide) < 1e-6  # initial weights in float64 and in float32
    assert {each.dtype for each in narrow.parameters()} == {torch.float32}
    assert {each.dtype for each in wide.parameters()} == {torch.float64}


@row("`EarlyStopping`")
def try_early_stopping(folder: Path) -> None:
    stopping = lightning.EarlyStopping("train_loss", patience=1, mode="max")
    assert fit(callbacks=[stopping], max_epochs=9)[1].current_epoch == 2


@row("`ModelCheckpoint`, `load_from_checkpoint`")
def try_checkpoint(folder: Path) -> None:
    saving = lightning.ModelCheckpoint(folder, monitor="val_accuracy", mode="max", save_last=True)
    module, _ = fit(SPLIT, callbacks=[saving], limit_val_batches=None)
    assert float(saving.best_model_score or 0) > 0.1
    for weights_only in (True, False):
        loaded = StudyModule.load_from_checkpoint(folder / "last.ckpt", weights_only=weights_only)
        assert loaded.run == SPLIT
        assert apart(loaded, module) == 0


@row("`LearningRateMonitor`, `CSVLogger`")
def try_csv_logger(folder: Path) -> None:
    fit(callbacks=[lightning.LearningRateMonitor()], logger=CSVLogger(folder))
    assert columns(folder) >= {"train_loss", "lr-Adam"}
    (path,) = folder.rglob("hparams.yaml")
    assert Run.of(yaml.safe_load(path.read_text())) == RUN


@row("`StochasticWeightAveraging`")
def try_weight_averaging(folder: Path) -> None:
    seen = Seen()
    averaging = lightning.StochasticWeightAveraging(1e-3, swa_epoch_start=2, annealing_epochs=1)
    module, _ = fit(callbacks=[seen, averaging], max_epochs=4)
    averaged = [torch.stack(each).mean(0) for each in zip(*seen.weights[:3], strict=True)]
    pairs = zip(module.parameters(), averaged, strict=True)
    assert max(float((a - b).detach().abs().max()) for a, b in pairs) < 1e-6


@row("`RichProgressBar`, `TQDMProgressBar`")
def try_progress_bars(folder: Path) -> None:
    for bar in (lightning.RichProgressBar(), lightning.TQDMProgressBar()):
        _, trainer = fit(callbacks=[bar], enable_progress_bar=True)
        assert float(bar.get_metrics(trainer, trainer.lightning_module)["train_loss"]) > 0


@row("`Timer`")
def try_timer(folder: Path) -> None:
    timer = lightning.Timer(timedelta(seconds=60))
    assert fit(callbacks=[timer])[1].global_step == 6
    assert 0 < timer.time_elapsed("train") < 60
    over = lightning.Timer(timedelta(seconds=0), interval="step")
    assert fit(callbacks=[over])[1].global_step < 6


@row("`DeviceStatsMonitor`")
def try_device_stats(folder: Path) -> None:
    fit(callbacks=[lightning.DeviceStatsMonitor(cpu_stats=True)], logger=CSVLogger(folder))
    assert any("cpu_percent" in name for name in columns(folder))


@row("`BatchSizeFinder`")
def try_batch_size_finder(folder: Path) -> None:
    finder = lightning.BatchSizeFinder(init_val=30, max_trials=2, steps_per_trial=1)
    data, seen = StudyData(RUN), Seen()
    flags = {"callbacks": [finder, seen], "default_root_dir": folder, "max_epochs": 1}
    with pytest.warns(UserWarning, match=r"data.batch_size=[36]0"):
        module, trainer = fit(data=data, **flags)
    assert {len(labels) for labels in seen.labels[-5:]} == {60}
    is_no_run(module, trainer, folder, r"data.batch_size: expected 100, as the run's, found 60")


@row("`LearningRateFinder`")
def try_learning_rate_finder(folder: Path) -> None:
    finder = lightning.LearningRateFinder(num_training_steps=20)
    with pytest.warns(UserWarning, match=r"optimizer.lr="):
        module, trainer = fit(callbacks=[finder], default_root_dir=folder, max_epochs=8)
    assert trainer.optimizers[0].param_groups[0]["lr"] == module.lr != 1e-3
    is_no_run(module, trainer, folder, r"optimizer.lr: expected 0.001, as the run's, found")


@row("`TensorBoardLogger`")
def try_tensorboard(folder: Path) -> None:
    fit(logger=TensorBoardLogger(folder))
    assert list(folder.rglob("events.out.tfevents.*"))
    (path,) = folder.rglob("hparams.yaml")
    assert Run.of(yaml.safe_load(path.read_text())) == RUN


@row("`WandbLogger`, offline")
def try_wandb(folder: Path) -> None:
    logger = WandbLogger(save_dir=folder, offline=True)
    try:
        fit(logger=logger)
        assert Run.of({key: logger.experiment.config[key] for key in RUN.facts()}) == RUN
        assert logger.experiment.summary["train_loss"] > 0
    finally:
        logger.experiment.finish()


@row("`validate`")
def try_validate(folder: Path) -> None:
    module, trainer = StudyModule(SPLIT), quiet_trainer(limit_val_batches=None)
    (found,) = trainer.validate(module, StudyData(SPLIT), verbose=False)
    assert set(found) == {"val_cross_entropy", "val_squared_error", "val_accuracy"}
    first = train_stack([SPLIT])[1].slots[0].history[0]
    assert found["val_accuracy"] == pytest.approx(first["validation_accuracy"])
    # Without a split there is nothing to validate on, as the test set is none.
    assert trainer.validate(StudyModule(RUN), StudyData(RUN), verbose=False) == []


@row("`test`, `predict`")
def try_test_and_predict(folder: Path) -> None:
    data = StudyData(RUN)
    module, trainer = fit(data=data, max_epochs=5)
    (found,) = trainer.test(module, data, verbose=False)
    p = torch.cat(trainer.predict(module, data))
    assert p.sum(-1).allclose(torch.ones(len(p)))
    right = (p.argmax(-1) == data.tensors.test_labels).float().mean()
    assert found["test_accuracy"] == pytest.approx(float(right))


@row("`ckpt_path`: resuming at the end of an epoch and inside one")
def try_resuming(folder: Path) -> None:
    saving = lightning.ModelCheckpoint(
        folder, filename="{step}", every_n_train_steps=1, save_top_k=-1
    )
    decay = {"class_path": "torch.optim.lr_scheduler.ExponentialLR", "init_args": {"gamma": 0.5}}
    run = small_run(noise=0.0, **{"optimizer.schedule": decay, "model.dropout": 0.2})
    whole, _ = fit(run, callbacks=[saving], max_epochs=3)
    for step in range(1, 9):  # an epoch ends with steps 3 and 6
        seen = Seen()
        resumed, trainer = fit(
            run, ckpt_path=folder / f"step={step}.ckpt", callbacks=[seen], max_epochs=3
        )
        assert trainer.global_step == 9
        assert len(seen.labels) == 9 - step
        assert apart(whole, resumed) == 0
    with pytest.raises(BadInput, match="ckpt_path: expected a checkpoint of run"):
        fit(small_run(seed=1), ckpt_path=folder / "step=4.ckpt")


@row("`profiler`")
def try_profiler(folder: Path) -> None:
    fit(profiler=SimpleProfiler(folder, "profile"))
    (path,) = folder.glob("*profile*")
    assert "StudyModule.configure_optimizers" in path.read_text()


@row("`overfit_batches`")
def try_overfit_batches(folder: Path) -> None:
    data, seen = StudyData(RUN), Seen()
    with pytest.warns(UserWarning, match="overfit"):
        fit(data=data, callbacks=[seen], overfit_batches=2)
    first = data.tensors.labels[:200]
    assert torch.equal(torch.cat(seen.labels), torch.cat([first, first]))


@row("`deterministic=True`")
def try_deterministic(folder: Path) -> None:
    # Importing torch's own test inputs, as other tests do, freezes a flag that Lightning sets.
    with pytest.MonkeyPatch.context() as patch:
        flags = torch.backends.flags_frozen.__globals__
        patch.setitem(flags, "__allow_nonbracketed_mutation_flag", True)
        assert apart(fit(deterministic=True)[0], fit()[0]) == 0
    torch.use_deterministic_algorithms(False)


@row("`LightningCLI`")
def try_cli(folder: Path) -> None:
    facts = {"seed": 3, "data.dataset": "digits", "model.hidden": [8], "optimizer.lr": 0.01}
    config = {"model": {"run": facts}, "data": {"run": facts}, "trainer": {"max_epochs": 1}}
    config["seed_everything"] = False
    config["trainer"] |= {"default_root_dir": str(folder), "logger": False, "accelerator": "cpu"}
    config["trainer"] |= {"enable_progress_bar": False, "enable_model_summary": False}
    (folder / "runs.yaml").write_text(yaml.safe_dump(config))
    given = ["fit", "--config", str(folder / "runs.yaml")]
    kept = {"save_config_kwargs": {"overwrite": True}}
    cli = LightningCLI(StudyModule, StudyData, args=given, **kept)
    assert cli.model.run == Run.of(facts)
    (path,) = folder.rglob("*.ckpt")
    assert StudyModule.load_from_checkpoint(path, weights_only=True).run == Run.of(facts)
    with pytest.raises(BadInput, match=r"StudyData: expected .*, found {'seed': 4}"):
        LightningCLI(StudyModule, StudyData, args=[*given, "--data.run.seed", "4"], **kept)


@row('`strategy="ddp"`, two processes')
def try_ddp(folder: Path) -> None:
    """Averages two processes' gradients: both end with the weights that one process reaches."""
    script = Path(__file__).parent / "train_in_two_processes.py"
    command = [sys.executable, script, json.dumps(RUN.facts()), folder]
    subprocess.run(command, check=True, timeout=120)
    first, second = (torch.load(folder / f"{rank}.pt") for rank in range(2))
    alone, _ = fit()
    for name, weight in alone.state_dict().items():
        assert torch.equal(first[name], second[name])
        assert torch.allclose(first[name], weight, atol=1e-6)


SLOW = {try_ddp, try_wandb}


@pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning.*")
@pytest.mark.parametrize(
    "function",
    [
        pytest.param(each, id=each.__name__, marks=[pytest.mark.slow] if each in SLOW else [])
        for each in dict.fromkeys(ROWS.values())
    ],
)
def test_a_row_of_the_table(function: Try, tmp_path: Path) -> None:
    function(tmp_path)


def test_the_table_has_the_rows_that_are_tried() -> None:
    page = Path(__file__).parents[2] / "docs/lightning.md"
    assert re.findall(r"^\|(`.*?)\|", page.read_text(), re.MULTILINE) == list(ROWS)
