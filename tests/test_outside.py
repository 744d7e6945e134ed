"""A user's own data set, activation, loss and condition are trained on, named by their path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import study
from study.fit import main

OBJECTS = """
import numpy as np
import torch
from torch import nn
from torch.nn import functional

import study
from study.data.readers import Images
from study.nn.losses import Loss
from study.nn.mlp import Activation
from study.nn.softmax import BackwardRule

rng = np.random.default_rng(0)
images = rng.integers(0, 256, (60, 12), dtype=np.uint8)
labels = np.arange(60) % 4


def load(root):
    return Images(images[:40], labels[:40], images[40:], labels[40:])


source = study.Source(40, 20, (3, 4), load, classes=4)
silu = Activation(functional.silu, nn.SiLU)
halved = BackwardRule(lambda g, p: g / 2)


def one_minus_p(p, labels):
    return 1 - p.gather(-1, labels.unsqueeze(-1)).squeeze(-1).mean(-1)


missed = Loss(one_minus_p)


def negative(pixels, seed, stream, mean, deviation):
    return 1 - pixels


class SlowSGD(torch.optim.SGD):
    pass
"""


def test_objects_of_the_users_are_trained_and_recorded_by_their_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "objects_of_mine.py").write_text(OBJECTS)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own.yaml").write_text(
        """
        name: own
        vary:
          optimizer:
          - {lr: 0.01}
          - {class_path: "objects_of_mine:SlowSGD", lr: 0.1}
        data:
          dataset: objects_of_mine:source
          inputs: objects_of_mine:negative
          batch_size: 10
        model:
          hidden: [8]
          activation: objects_of_mine:silu
          loss: objects_of_mine:missed
          backward: objects_of_mine:halved
        trainer: {max_epochs: 2}
        wandb: {mode: off}
        """
    )
    out = tmp_path / "out"
    assert main(["--config", str(tmp_path / "own.yaml"), "--out", str(out)]) == 0
    runs, history = study.load(out)
    assert len(runs) == 2
    assert history["epoch"].max() == 2
    facts = [json.loads(each) for each in runs["facts"]]
    assert {each["optimizer.class_path"] for each in facts} == {
        "study.Adam",
        "objects_of_mine.SlowSGD",
    }
    for each in facts:
        assert each["data.dataset"] == "objects_of_mine:source"
        assert each["model.loss"] == "objects_of_mine:missed"
