"""Facts, metrics and effects that a claim names: what no run can have, and the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from arms import ARMS, A, B, two_arms, verdict
from hypothesis import given
from hypothesis import strategies as st
from records import records

from reports import wording
from reports.claims import Claim
from reports.verdicts import NOT_RUN, SUPPORTED, judge_all
from study.base.errors import BadInput


def test_a_fact_that_is_a_list_chooses_runs() -> None:
    arms = [{"model.hidden": [64, 64]}, {"model.hidden": [64]}]

    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        return {"train_accuracy": 0.5 + 0.01 * seed + (0.1 if facts == arms[0] else 0.0)}

    asked = Claim("c", "s", "train_accuracy", a=arms[0], b=arms[1], above=0.05)
    found = verdict(asked, records(8, arms, value))
    assert (found.verdict, found.n) == (SUPPORTED, 8)
    assert found.mean == pytest.approx(0.1)


@given(st.lists(st.floats(0, 0.99), min_size=2, max_size=2), st.booleans())
def test_a_list_chooses_the_runs_that_have_it_and_no_others(betas: list[float], own: bool) -> None:
    arms = [{"optimizer.betas": betas}, {"optimizer.betas": [0.5, 0.25]}]
    made = records(2, arms[: 1 + (betas != [0.5, 0.25])], lambda *_: {})
    wanted = arms[0] if own else {"optimizer.betas": [*betas, 0.5]}
    assert len(made.having(wanted)) == (2 if own else 0)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"a": {"optimizer.learningrate": 1}}, "c.a.optimizer.learningrate: .*'optimizer.lr'"),
        ({"b": {"model.backwards": "identity"}}, "c.b.model.backwards: .*'model.backward'"),
        ({"where": {"label_noise": 1}}, "c.where.label_noise: .*'data.label_noise'"),
        ({"a": {"optimizer.class_path": "study.Adam", "optimizer.momentum": 1}}, "momentum"),
        ({"a": {"seed": 1}, "b": {"seed": 2}}, "c.a.seed: expected other facts"),
        ({"where": {"seed": 1}}, "c.where.seed: expected other facts"),
        ({"b": A}, "c.b: expected another arm than a"),
        ({"b": None, "against": "last"}, "c.against: expected another epoch than at"),
        ({"config": "configs/softmax.yaml"}, "c.where.model.loss: expected one value"),
        ({"config": "configs/sofmax.yaml"}, "c.config: expected a config file"),
        ({"where": {"model.loss": "crossentropy"}}, "c.where.model.loss: .*'cross_entropy'"),
        ({"a": {"model.backward": ["jacobain"]}}, "c.a.model.backward: .*'jacobian'"),
        ({"metric": "train_loss"}, "c.metric: .*, found 'train_loss'"),
        ({"metric": "test_acuracy"}, "did you mean 'test_accuracy'"),
        ({"metric": "status"}, "c.metric"),
        ({"metric": "model.hidden"}, "c.metric"),
        ({"metric": "no.module:metric"}, "a metric that can be imported"),
        ({"metric": "outside_metrics:gap", "at": "best"}, "largest or smallest"),
    ],
)
def test_what_no_run_can_have_is_refused(more: dict[str, Any], message: str) -> None:
    fields = {"metric": "test_accuracy", "a": A, "b": B} | more
    with pytest.raises(BadInput, match=message) as raised:
        verdict(Claim("c", "s", above=0, **fields), two_arms(0.1, seeds=2))
    assert "\n" not in str(raised.value)


def test_an_argument_of_an_optimizer_that_no_record_knows_is_not_run_rather_than_wrong() -> None:
    sgd = {"optimizer.class_path": "torch.optim.SGD", "optimizer.momentum": 0.9}
    asked = Claim("c", "s", "test_accuracy", a=sgd, b={}, above=0)
    assert verdict(asked, two_arms(0.1, seeds=2)).verdict == NOT_RUN


OUTSIDE = """
import numpy as np
from reports.effects import Effect

def gap(history):
    return history["train_accuracy"] - history["test_accuracy"]

def row(history):
    return 1.0

odds = Effect("log odds ratio", lambda a, b: np.log(a / (1 - a)) - np.log(b / (1 - b)))
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a module of a user's own."""
    (tmp_path / "outside_metrics.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("outside")
def test_a_metric_and_an_effect_can_be_the_users_own() -> None:
    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        own = [0.5, 0.6, 0.8][epoch] if facts == A else 0.5
        return {"train_accuracy": 0.9, "test_accuracy": own + 0.001 * seed}

    made = records(8, ARMS, value)
    gap = Claim("g", "s", "outside_metrics:gap", a=A, b=B, below=0)
    first = Claim("f", "s", "outside_metrics:gap", at="largest", against=0.4, below=0.01)
    odds = Claim("o", "s", "test_accuracy", a=A, b=B, effect="outside_metrics:odds", above=1)
    found = judge_all([gap, first, odds], made)
    assert [each.verdict for each in found] == [SUPPORTED] * 3
    assert found[0].mean == pytest.approx(-0.3)
    assert found[1].mean == pytest.approx(-0.0035)
    assert wording.finding(found[2]).startswith("Log odds ratio: ")


@pytest.mark.usefixtures("outside")
def test_a_metric_of_the_users_own_gives_a_number_a_row() -> None:
    with pytest.raises(BadInput, match="a number a row of history"):
        verdict(Claim("c", "s", "outside_metrics:row", against=0, above=0), two_arms(0.1, seeds=2))
