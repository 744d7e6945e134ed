"""Ids live: a table of facts and their ids, and facts that are younger than some records."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import Annotated, Any, Literal

import pytest
from pydantic import Strict

from study.base.errors import BadInput
from study.runs.declaring import Absent, Count, Says
from study.runs.run import Run
from study.runs.settings import Data

# Ids of the first version. Changing one makes every such run a stranger to its records.
IDS: list[tuple[dict[str, Any], str]] = [
    ({}, "c4940011012f"),
    ({"seed": 7}, "99659ad3a6dc"),
    ({"data.label_noise": 1, "stop.train_accuracy": 1}, "a3a0143e37cd"),
    (
        {"data.label_noise": 0.3, "data.label_scheme": "permuted", "data.normalize": "image"},
        "40677ea17a89",
    ),
    (
        {
            "data.dataset": "digits",
            "data.train_examples": 300,
            "data.batch_size": 50,
            "model.hidden": [32],
        },
        "aff60d6ec0db",
    ),
    (
        {
            "data.dataset": "cifar10",
            "data.inputs": "gaussian",
            "data.normalize": "none",
            "model.hidden": [],
        },
        "68644c962112",
    ),
    (
        {
            "model.hidden": [512, 512],
            "model.activation": "gelu",
            "model.loss": "squared_error",
            "model.backward": "identity",
        },
        "d1cad26189eb",
    ),
    (
        {
            "model.gradients": "autograd",
            "trainer.precision": "bf16-mixed",
            "model.backward": "fused",
        },
        "d929817f0f10",
    ),
    (
        {
            "optimizer.lr": 0.01,
            "optimizer.betas": [0.5, 0],
            "optimizer.eps": 1e-05,
            "optimizer.fused": False,
        },
        "9d63b44f4bea",
    ),
    ({"optimizer.weight_decay": 1, "optimizer.decoupled_weight_decay": True}, "2438c0779cac"),
    (
        {
            "optimizer.class_path": "torch.optim.SGD",
            "optimizer.lr": 0.1,
            "optimizer.momentum": 0.9,
            "optimizer.nesterov": True,
        },
        "e8e86bbc3c25",
    ),
    (
        {
            "optimizer.class_path": "torch.optim.Adam",
            "optimizer.lr": 0.001,
            "optimizer.betas": [0.9, 0.99],
            "optimizer.fused": False,
        },
        "d1ea6cffef98",
    ),
    (
        {
            "optimizer.class_path": "my.module.Own",
            "optimizer.name": "é",
            "optimizer.none": None,
            "optimizer.nested": {"seed": 1, "b": [1, 2.5]},
        },
        "456b8a02a45c",
    ),
    (
        {
            "seed": 9223372036854775807,
            "stop.train_cross_entropy": 0.01,
            "trainer.max_epochs": 30,
            "trainer.gradient_clip_val": 1,
            "trainer.gradient_clip_algorithm": "value",
            "evaluate_every": 5,
        },
        "8d377be50442",
    ),
]


@pytest.mark.parametrize(("facts", "id_"), IDS, ids=[id_ for _, id_ in IDS])
def test_facts_have_the_ids_that_they_always_had(facts: dict[str, Any], id_: str) -> None:
    run = Run.of(facts)
    assert run.id == id_
    assert Run.of_record(json.loads(json.dumps(run.facts()))).id == id_
    assert pickle.loads(pickle.dumps(run)).id == id_
    assert run.with_seed(run.seed).id == id_


def test_an_id_imports_nothing_and_resolves_nothing() -> None:
    script = """
import sys
from study.runs.run import Run
before = set(sys.modules)
run = Run.of({"data.dataset": "nowhere.at_all:source", "model.activation": "nor.here:act",
              "optimizer.class_path": "nor.there.Either"})
print(run.id, run.with_seed(1).id)
assert not {"torch", "numpy.random"} & (set(sys.modules) - before), set(sys.modules) - before
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(set(done.stdout.split())) == 2


class YoungerData(Data):
    """Data with facts that the first version did not have."""

    blur: Annotated[float, Absent(0.0), Says("a number")] = 0.5
    crops: Annotated[tuple[Count, ...], Strict(False), Absent([]), Says("a list")] = ()


class YoungerRun(Run):
    """A run with such data, and a fact of its own."""

    data: YoungerData = YoungerData()
    rule: Annotated[Literal["old", "new"], Absent("old")] = "new"


BEFORE = {"data.blur": 0.0, "data.crops": [], "rule": "old"}


@pytest.mark.parametrize(("facts", "id_"), IDS, ids=[id_ for _, id_ in IDS])
def test_a_younger_fact_with_the_value_from_before_it_leaves_ids_alone(
    facts: dict[str, Any], id_: str
) -> None:
    run = YoungerRun.of({**facts, **BEFORE})
    assert run.id == id_
    assert run.facts() == {**Run.of(facts).facts(), **BEFORE}
    record = json.loads(json.dumps(Run.of(facts).facts()))  # has no younger facts
    assert YoungerRun.of_record(record).facts() == run.facts()
    assert YoungerRun.of_record(record).id == id_


def test_another_value_of_a_younger_fact_is_another_run_whatever_todays_default_is() -> None:
    ids = {
        YoungerRun.of({**BEFORE, **other}).id
        for other in ({}, {"data.blur": 0.5}, {"data.crops": (1,)}, {"rule": "new"})
    }
    assert len(ids) == 4
    assert Run().id in ids
    assert YoungerRun().id not in ids  # defaults: blur 0.5 and the new rule
    assert YoungerRun.of_record(YoungerRun().facts()).id == YoungerRun().id


class OneValueLeft(Data):
    """Data without the fact of label schemes: one value of it is left."""

    label_scheme: Literal["uniform"] = "uniform"


class RemovedFact(Run):
    """A run with such data."""

    data: OneValueLeft = OneValueLeft()


def test_a_fact_is_removed_by_leaving_it_one_value() -> None:
    assert RemovedFact().id == Run().id
    record = Run.of({"data.label_scheme": "permuted"}).facts()
    with pytest.raises(BadInput, match=r"^data.label_scheme: expected one of uniform, found 'perm"):
        RemovedFact.of_record(record)
