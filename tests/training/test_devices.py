"""Each process of a node takes a GPU of its own."""

from __future__ import annotations

import pytest
import torch

from study.training.devices import own_devices


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
