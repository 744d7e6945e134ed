"""What a config names for Lightning's Trainer, tried before anything is written."""

from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch

from study import BadInput, Data, Run, Study, Trainer
from study.training.trainer import check_classes, instantiate, make_trainer


def check(**trainer: object) -> None:
    run = Run(data=Data(dataset="digits"), trainer=Trainer(**trainer))
    check_classes(Study(), [run])


def test_only_a_class_of_the_kind_asked_for_is_called() -> None:
    called: list[str] = []
    globals()["factory"] = lambda: called.append("factory") or pl.Callback()
    for path in (f"{__name__}.factory", "sys.exit", "builtins.list"):
        with pytest.raises(BadInput, match=r"x\[0\]: expected a Lightning Callback, found"):
            instantiate([{"class_path": path}], pl.Callback, "x")
    assert called == []


def test_a_fault_of_callbacks_is_not_blamed_on_the_accelerator() -> None:
    saving = {"class_path": "pytorch_lightning.callbacks.ModelCheckpoint"}
    check(callbacks=[saving])
    with pytest.raises(BadInput, match=r"^trainer\.callbacks: .* found .*ModelCheckpoint.*; Found"):
        check(callbacks=[saving, saving])
    if torch.cuda.is_available():
        return
    with pytest.raises(BadInput, match=r"^trainer\.accelerator: .* found 'gpu'"):
        check(accelerator="gpu", callbacks=[saving])


def test_lightning_s_own_summary_is_an_observer() -> None:
    summary = {"class_path": "pytorch_lightning.callbacks.ModelSummary"}
    run = Run(data=Data(dataset="digits"), trainer=Trainer(callbacks=[summary]))
    trainer = make_trainer(run, [])
    assert sum(isinstance(c, pl.callbacks.ModelSummary) for c in vars(trainer)["callbacks"]) == 1
