"""A run: its facts decide its id, and nothing else does."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.base.errors import BadInput
from study.data.sources import SOURCES
from study.runs.run import Run, fact_keys
from study.runs.settings import Data, Model, Optimizer

WHOLE = st.integers(1, 2**63 - 1)
POSITIVE = st.floats(0, exclude_min=True, allow_infinity=False, allow_subnormal=False)
BETA = st.floats(0, 1, exclude_max=True)
SCHEDULE = {
    "class_path": st.sampled_from(["torch.optim.lr_scheduler.StepLR", "a.b:c"]),
    "init_args": st.dictionaries(st.sampled_from("ab"), st.integers(1, 3)),
}
INTERVAL = {"interval": st.sampled_from(["epoch", "step"])}
# For each fact values that it may have; the examples and the two that restrict each other apart.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "data.label_noise": st.floats(0, 1) | st.sampled_from([0, 1]),
    "data.label_scheme": st.sampled_from(["uniform", "permuted"]),
    "data.inputs": st.sampled_from(["original", "shuffled_pixels", "random_pixels", "gaussian"]),
    "data.normalize": st.sampled_from(["none", "dataset", "image"]),
    "model.hidden": st.lists(st.integers(1, 10_000), max_size=3),
    "model.activation": st.sampled_from(["relu", "tanh", "gelu", "sigmoid"]),
    "model.loss": st.sampled_from(["cross_entropy", "squared_error"]),
    "model.backward": st.sampled_from(["jacobian", "identity", "autograd", "fused"]),
    "model.dropout": BETA,
    "model.input_dropout": BETA,
    "model.label_smoothing": BETA,
    "model.init_scale": POSITIVE,
    "stop.train_accuracy": st.none() | st.floats(0, 1),
    "stop.train_cross_entropy": st.none() | POSITIVE,
    "trainer.max_epochs": WHOLE,
    "trainer.gradient_clip_val": st.none() | POSITIVE,
    "trainer.gradient_clip_algorithm": st.sampled_from(["norm", "value"]),
    "evaluate_every": WHOLE,
    "optimizer.lr": POSITIVE | st.integers(1, 100),
    "optimizer.betas": st.lists(BETA, min_size=2, max_size=2),
    "optimizer.eps": POSITIVE,
    "optimizer.weight_decay": st.floats(0, allow_infinity=False),
    "optimizer.decoupled_weight_decay": st.booleans(),
    "optimizer.fused": st.booleans(),
    "optimizer.schedule": st.none() | st.fixed_dictionaries(SCHEDULE, optional=INTERVAL),
}


@st.composite
def facts(draw: st.DrawFn) -> dict[str, Any]:
    """Draw facts of one run, some left at their defaults."""
    result = draw(st.fixed_dictionaries({}, optional=VALUES))
    if not result.get("model.hidden", [1]):
        result.pop("model.dropout", None)  # which needs a hidden layer
    dataset = draw(st.sampled_from(sorted(SOURCES)))
    examples = draw(st.none() | st.integers(1, SOURCES[dataset].train_examples))
    batch = draw(st.integers(1, examples or SOURCES[dataset].train_examples))
    result |= {"data.dataset": dataset, "data.train_examples": examples, "data.batch_size": batch}
    precision, gradients = draw(
        st.sampled_from(["32-true", "64-true"])
        .flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(["derived", "autograd"])))
        .map(tuple)
        | st.just(("bf16-mixed", "autograd"))
    )
    return result | {"trainer.precision": precision, "model.gradients": gradients}


@given(facts(), st.integers(0, 2**63 - 1))
def test_a_run_made_again_from_its_facts_is_the_same_run(given: dict[str, Any], seed: int) -> None:
    run = Run.of({**given, "seed": seed})
    again = Run.of(run.facts())
    assert again == run
    assert again.id == run.id
    # Records keep facts as JSON.
    assert Run.of(json.loads(json.dumps(run.facts()))).id == run.id


def test_ids_are_the_same_everywhere_and_in_every_version() -> None:
    # Changing these makes every recorded run a stranger to its config.
    assert Run().id == DEFAULT_ID
    script = "from study.runs.run import Run; print(Run().id, Run(seed=1).id)"
    printed = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert printed == [Run().id, Run(seed=1).id]


def hashed(run: Run) -> dict[str, Any]:
    """Return the facts that the id is a hash of: not those that are as in older records."""
    older = Run.absent(run.optimizer.class_path)
    return {key: value for key, value in run.facts().items() if older.get(key, ...) != value}


@given(facts(), st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_a_run_with_another_seed_is_that_seeds_run(
    given: dict[str, Any], seed: int, other: int
) -> None:
    made, again = Run.of({**given, "seed": other}), Run.of({**given, "seed": seed}).with_seed(other)
    assert (again, again.id, again.program) == (made, made.id, made.program)
    text = json.dumps(hashed(made), sort_keys=True, separators=(",", ":"))
    assert again.id == hashlib.sha256(text.encode()).hexdigest()[:12]


def test_an_argument_that_is_called_seed_is_not_taken_for_the_seed() -> None:
    facts = {"optimizer.class_path": "a.B", "optimizer.lr": {"seed": 1, "x": '"seed":2'}}
    run = Run.of({**facts, "seed": 5})
    text = json.dumps(hashed(run), sort_keys=True, separators=(",", ":"))
    assert run.id == hashlib.sha256(text.encode()).hexdigest()[:12]


DEFAULT_ID = "c4940011012f"
OTHER = {
    "seed": 1,
    "data.dataset": "mnist",
    "data.label_noise": 0.5,
    "data.label_scheme": "permuted",
    "data.inputs": "gaussian",
    "data.train_examples": 4000,
    "data.validation_examples": 400,
    "data.normalize": "image",
    "data.batch_size": 50,
    "model.hidden": [256, 256],
    "model.activation": "tanh",
    "model.loss": "squared_error",
    "model.backward": "identity",
    "model.gradients": "autograd",
    "model.dropout": 0.5,
    "model.input_dropout": 0.2,
    "model.init_scale": 0.1,
    "model.label_smoothing": 0.1,
    "stop.train_accuracy": 1.0,
    "stop.train_cross_entropy": 0.01,
    "trainer.max_epochs": 99,
    "trainer.precision": "64-true",
    "trainer.gradient_clip_val": 1.0,
    "trainer.gradient_clip_algorithm": "value",
    "optimizer.class_path": "torch.optim.Adam",
    "optimizer.betas": [0.9, 0.99],
    "optimizer.decoupled_weight_decay": True,
    "optimizer.eps": 1e-7,
    "optimizer.fused": False,
    "optimizer.lr": 0.01,
    "optimizer.schedule": {"class_path": "a.B"},
    "optimizer.weight_decay": 0.1,
    "evaluate_every": 2,
}


def test_every_fact_decides_the_id() -> None:
    assert set(OTHER) == set(fact_keys())
    ids = {key: Run.of({key: value}).id for key, value in OTHER.items()}
    assert len({Run().id, *ids.values()}) == 1 + len(OTHER)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data.root", "elsewhere"),
        ("trainer.accelerator", "cpu"),
        ("trainer.callbacks", [{"class_path": "a.B"}]),
        ("trainer.logger", [{"class_path": "a.B"}]),
    ],
)
def test_where_and_how_a_run_is_trained_does_not_decide_its_id(key: str, value: Any) -> None:
    run = Run.of({key: value})
    assert run.id == Run().id
    assert run == Run()
    assert key not in run.facts()
    subject, name = key.split(".")
    assert getattr(getattr(run, subject), name) == value


def test_whole_and_real_numbers_of_one_value_are_one_fact() -> None:
    assert Run.of({"data.label_noise": 1}).id == Run.of({"data.label_noise": 1.0}).id
    assert Run.of({"optimizer.betas": (0, 0)}).id == Run.of({"optimizer.betas": [0.0, 0.0]}).id
    assert Run(model=Model(hidden=(8,))).id == Run.of({"model.hidden": [8]}).id
    assert Run(optimizer=Optimizer(init_args={"lr": 0.1})).id == Run.of({"optimizer.lr": 0.1}).id


def test_another_optimizers_arguments_are_facts_as_they_are_given() -> None:
    sgd = {
        "optimizer.class_path": "torch.optim.SGD",
        "optimizer.lr": 0.1,
        "optimizer.nesterov": True,
    }
    facts = Run.of(sgd).facts()
    found = {key: facts[key] for key in facts if key.startswith("optimizer.")}
    assert found == {**sgd, "optimizer.schedule": None}


SCHEDULED = {"class_path": "torch.optim.lr_scheduler.ExponentialLR", "init_args": {"gamma": 0.95}}


def test_a_schedule_is_one_fact_that_earlier_runs_do_not_have() -> None:
    run = Run.of({"optimizer.schedule": SCHEDULED})
    assert run.facts()["optimizer.schedule"] == {**SCHEDULED, "interval": "epoch"}
    assert run.id == "6230638a8390"  # changing it makes recorded runs strangers to their config
    same = {**SCHEDULED, "class_path": "torch.optim.lr_scheduler:ExponentialLR"}
    assert Run.of({"optimizer.schedule": same, "optimizer.lr": 1e-3}).id == run.id
    assert Run.of({"optimizer.schedule": {**SCHEDULED, "interval": "step"}}).id != run.id
    for optimizer in ({}, {"class_path": "torch.optim.SGD", "lr": 0.1}):
        facts = Run(optimizer=optimizer).facts()
        assert facts.pop("optimizer.schedule") is None
        assert Run.of_record(facts) == Run(optimizer=optimizer)
    other = run.with_settings({"optimizer.class_path": "torch.optim.SGD"})
    assert other.optimizer.schedule == run.optimizer.schedule


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (1, r"^optimizer\.schedule: expected a mapping with class_path, .*, or null, found 1"),
        ({}, r"^optimizer\.schedule\.class_path: expected an import path, e\.g\. torch\.optim"),
        ({"class_path": "cosine"}, r"^optimizer\.schedule\.class_path: .* found 'cosine'"),
        ({**SCHEDULED, "gamma": 1}, r"^optimizer\.schedule\.gamma: expected one of class_path"),
        ({**SCHEDULED, "interval": "day"}, r"^optimizer\.schedule\.interval: .* epoch, step"),
        (
            {**SCHEDULED, "init_args": {"gamma": float("inf")}},
            r"^optimizer\.schedule\.init_args\.gamma: expected a finite number",
        ),
    ],
)
def test_a_wrong_schedule_is_refused_by_its_key(schedule: object, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Run.of({"optimizer.schedule": schedule})


def test_widths_and_parameters_follow_from_data_set_and_hidden_layers() -> None:
    run = Run.of({"data.dataset": "digits", "model.hidden": [5, 4]})
    assert run.widths == (64, 5, 4, 10)
    assert run.parameters == 64 * 5 + 5 + 5 * 4 + 4 + 4 * 10 + 10
    assert Run.of({"data.dataset": "digits", "model.hidden": []}).parameters == 65 * 10


def test_runs_share_a_program_unless_shapes_or_code_differ() -> None:
    different = {
        key for key, value in OTHER.items() if Run.of({key: value}).program != Run().program
    }
    assert different == {
        "data.dataset",
        "data.train_examples",
        "data.validation_examples",
        "data.batch_size",
        "model.hidden",
        "model.activation",
        "model.loss",
        "model.backward",
        "model.gradients",
        "model.dropout",
        "model.input_dropout",
        "model.label_smoothing",
        "trainer.precision",
        "optimizer.class_path",
        "optimizer.fused",
    }


def test_the_examples_trained_on_are_the_subset_or_all() -> None:
    assert Data().examples == SOURCES["mnist5k"].train_examples
    assert Data(train_examples=100).examples == 100
    assert Data(validation_examples=100).examples == SOURCES["mnist5k"].train_examples - 100
    assert Data(validation_examples=100, train_examples=50, batch_size=50).examples == 50
