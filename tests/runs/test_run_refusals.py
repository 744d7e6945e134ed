"""Facts that no run has are refused by their key."""

from __future__ import annotations

from typing import Any

import pytest

from study.base.errors import BadInput
from study.runs.run import Run
from study.runs.settings import Model, Trainer


def test_a_seed_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match=r"^seed: expected a whole number"):
        Run().with_seed(-1)


def test_mixed_precision_needs_autograds_gradients() -> None:
    with pytest.raises(BadInput, match=r"set model.gradients: autograd"):
        Run(trainer=Trainer(precision="bf16-mixed"))
    run = Run(trainer=Trainer(precision="bf16-mixed"), model=Model(gradients="autograd"))
    assert run.facts()["trainer.precision"] == "bf16-mixed"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"label_noise": 1}, "^label_noise: expected one of .*did you mean 'data.label_noise'"),
        ({"data.label_nois": 1}, "^data.label_nois: .*did you mean 'label_noise'"),
        ({"optimizer.lrr": 1}, "^optimizer.lrr: .*did you mean 'lr'"),
        ({"seed": -1}, "^seed: expected a whole number of at least 0, found -1"),
        (
            {"data.label_noise": 2},
            r"^data.label_noise: expected a probability in \[0, 1\], found 2",
        ),
        ({"data.batch_size": 4001}, "^data.batch_size: expected at most the 4000"),
        (
            {"data.validation_examples": 4000},
            "^data.validation_examples: expected at most 3999, what training leaves of the 4000",
        ),
        (
            {"data.validation_examples": 3001, "data.train_examples": 1000},
            "^data.validation_examples: expected at most 3000, .* found 3001",
        ),
        (
            {"data.validation_examples": 3950},
            "^data.batch_size: expected at most the 50 training examples, found 100",
        ),
        ({"model.dropout": 1}, r"^model.dropout: expected a number in \[0, 1\), found 1"),
        (
            {"model.dropout": 0.5, "model.hidden": []},
            "^model.dropout: expected 0 without hidden layers, found 0.5; model.input_dropout",
        ),
        ({"model.input_dropout": -0.1}, "^model.input_dropout: .*found -0.1"),
        ({"model.label_smoothing": 1.0}, "^model.label_smoothing: .*found 1.0"),
        ({"model.init_scale": 0}, "^model.init_scale: expected a number above 0, found 0"),
        (
            {"model.label_smoothing": 0.1, "model.loss": "outside:chance"},
            "^model.label_smoothing: expected 0 with outside:chance, found 0.1; a loss of your own",
        ),
    ],
)
def test_facts_that_no_run_has_are_refused_by_their_key(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        Run.of(given)
