"""What a config names for Lightning's Trainer, tried at the start; each process has its own GPU."""

from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch

from study import BadInput, Data, Run, Study, Trainer
from study.training.devices import own_devices
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


@pytest.mark.parametrize(
    ("visible", "local", "device"),
    [
        (1, "0", 0),  # each task sees its own GPU alone
        (1, "3", 0),
        (4, "0", 0),  # each task sees all of the node's
        (4, "3", 3),
        (4, "5", 1),  # more tasks than GPUs
        (4, None, 0),  # no Slurm
        (4, "?", 0),
    ],
)
def test_tasks_of_a_node_take_a_gpu_each(
    visible: int, local: str | None, device: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: visible)
    environment = {} if local is None else {"SLURM_LOCALID": local}
    for accelerator in ("auto", "gpu", "cuda"):
        assert own_devices(accelerator, environment) == [device]
    assert own_devices("cpu", environment) == 1


def test_without_a_gpu_lightning_takes_one_device_of_any_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert own_devices("auto", {"SLURM_LOCALID": "3"}) == 1


def test_the_trainer_is_given_the_process_s_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    from study import Run
    from study.training import trainer

    asked = {}
    monkeypatch.setattr(trainer.pl, "Trainer", lambda **arguments: asked.update(arguments))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setenv("SLURM_LOCALID", "2")
    trainer.make_trainer(Run(), [])
    assert asked["devices"] == [2]
