"""Verdicts on records whose truth is known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import records

import reports.verdicts as module
from reports import wording
from reports.claims import Claim
from reports.read import Records
from reports.verdicts import INCONCLUSIVE, NOT_RUN, REFUTED, SUPPORTED, Verdict, judge_all
from study.base.errors import BadInput

ARMS = [{"model.backward": "identity"}, {"model.backward": "jacobian"}]
A, B = ARMS


def noise(seed: int, scale: float) -> float:
    return float(np.random.default_rng(seed).normal(0, scale))


def two_arms(gap: float, seeds: int = 12, scale: float = 0.1) -> Records:
    """Return records in which identity's test accuracy lies ``gap`` above jacobian's."""

    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        own = noise(1000 + seed, scale) + gap if facts == A else 0.0
        # What a seed does to both arms is far larger, and cancels in pairs.
        return {"test_accuracy": 0.5 + noise(seed, 0.1) / 10 + own}

    return records(seeds, ARMS, value)


def claim(**more: Any) -> Claim:
    return Claim("c", "a sentence", "test_accuracy", a=A, b=B, **more)


def verdict(claim: Claim, records: Records) -> Verdict:
    return judge_all([claim], records)[0]


@pytest.mark.parametrize(
    ("asked", "gap", "expected"),
    [
        ("above", 0.1, SUPPORTED),
        ("above", -0.1, REFUTED),
        ("above", 0.0, INCONCLUSIVE),
        ("below", -0.1, SUPPORTED),
        ("below", 0.1, REFUTED),
        ("other_than", 0.1, SUPPORTED),
        ("other_than", 0.0, INCONCLUSIVE),
    ],
)
def test_one_sided_and_two_sided_claims(asked: str, gap: float, expected: str) -> None:
    found = verdict(claim(**{asked: 0}), two_arms(gap, scale=0.02))
    assert found.verdict == expected
    assert found.n == 12
    assert found.interval.low < found.mean < found.interval.high
    assert abs(found.mean - gap) < 0.03
    assert bool(found.why) == (expected == INCONCLUSIVE)


@pytest.mark.parametrize(
    ("gap", "expected"), [(0.0, SUPPORTED), (0.3, REFUTED), (0.05, INCONCLUSIVE)]
)
def test_equivalence_within_bounds(gap: float, expected: str) -> None:
    found = verdict(claim(within=(-0.05, 0.05)), two_arms(gap, scale=0.02))
    assert found.verdict == expected


def test_no_verdict_from_fewer_than_six_pairs() -> None:
    found = verdict(claim(above=0), two_arms(0.3, seeds=5, scale=0.001))
    assert found.verdict == INCONCLUSIVE
    assert "fewer than 6" in found.why
    assert math.isnan(found.p)
    assert verdict(claim(above=0), two_arms(0.3, seeds=6, scale=0.001)).verdict == SUPPORTED


def test_an_undecided_verdict_says_how_many_seeds_would_settle_it() -> None:
    found = verdict(claim(above=0), two_arms(0.01, seeds=12, scale=0.05))
    assert found.verdict == INCONCLUSIVE
    assert "more seeds would settle it" in found.why or "over 1,000" in found.why


def test_a_claim_without_runs_says_which_command_would_make_them() -> None:
    asked = Claim(
        "c",
        "s",
        "test_accuracy",
        above=0,
        a={"model.loss": "squared_error"},
        b=B,
        config="configs/softmax.yaml",
    )
    found = verdict(asked, two_arms(0.1))
    assert found.verdict == NOT_RUN
    assert found.why == "train: python -m study.fit --config configs/softmax.yaml"
    assert found.n == 0


def test_runs_are_paired_by_seed_and_every_other_fact() -> None:
    both = [
        {**arm, "model.loss": loss} for arm in ARMS for loss in ("cross_entropy", "squared_error")
    ]

    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        offset = {"cross_entropy": 0.0, "squared_error": 0.3}[facts["model.loss"]]
        gain = 0.1 if facts["model.backward"] == "identity" else 0.0
        return {"test_accuracy": 0.2 + 0.01 * seed + offset + gain}

    found = verdict(claim(above=0), records(8, both, value))
    assert found.n == 8  # two pairs of a seed count once
    assert found.pairs is not None
    assert found.pairs["effect"].to_numpy() == pytest.approx(0.1)


def test_diverged_runs_count_as_the_worst_outcome_and_are_counted() -> None:
    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        bad = facts == A and epoch == 2
        return {"train_cross_entropy": math.nan if bad else 1.0}

    def outcome(seed: int, facts: Any) -> dict[str, Any]:
        return {"status": "diverged" if facts == A else "finished"}

    asked = Claim("c", "s", "train_cross_entropy", a=A, b=B, below=0)
    found = verdict(asked, records(8, ARMS, value, outcome=outcome))
    assert found.verdict == REFUTED
    assert found.diverged == 8
    assert found.pairs is not None
    assert found.pairs["a"].tolist() == [87.3] * 8


def fits(seeds: int, censored: int) -> Records:
    arms = [{"data.label_noise": 1.0}, {"data.label_noise": 0.0}]

    def outcome(seed: int, facts: Any) -> dict[str, Any]:
        slow = facts["data.label_noise"] == 1.0
        never = slow and seed < censored
        return {
            "epochs_to_fit": None if never else (60 + seed if slow else 10 + seed),
            "epochs": 70,
        }

    return records(seeds, arms, lambda *_: {}, outcome=outcome)


def test_runs_that_did_not_fit_are_censored_not_dropped() -> None:
    asked = Claim(
        "c",
        "s",
        "epochs_to_fit",
        a={"data.label_noise": 1.0},
        b={"data.label_noise": 0.0},
        effect="ratio",
        within=(1, 10),
    )
    assert verdict(asked, fits(8, 0)).verdict == SUPPORTED
    found = verdict(asked, fits(8, 2))
    assert (found.verdict, found.censored, found.n) == (INCONCLUSIVE, 2, 8)
    assert "2 runs did not fit" in found.why


def test_a_share_of_runs() -> None:
    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        return {"train_accuracy": 0.9 if seed == 0 else 1.0}

    asked = Claim("c", "s", "train_accuracy", effect="share", against=1.0, above=0.5)
    found = verdict(asked, records(20, [A], value))
    assert found.verdict == SUPPORTED
    assert found.mean == 0.95


def test_a_claim_about_another_epoch_of_the_same_runs() -> None:
    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        return {"test_accuracy": [0.1, 0.8 + 0.001 * seed, 0.6][epoch]}

    best = Claim("c", "s", "test_accuracy", at="best", against="last", above=0.01)
    first = Claim("d", "s", "test_accuracy", at="first", against="last", above=0)
    made = records(8, [A], value)
    assert [each.verdict for each in judge_all([best, first], made)] == [SUPPORTED, REFUTED]


def test_p_values_are_adjusted_for_the_whole_ledger() -> None:
    asked = [Claim(f"c{number}", "s", "test_accuracy", a=A, b=B, above=0) for number in range(3)]
    found = judge_all(asked, two_arms(0.1, seeds=8, scale=0.02))
    assert [each.p_adjusted for each in found] == pytest.approx([3 * each.p for each in found])


def test_a_p_that_does_not_survive_the_ledger_supports_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "holm", lambda p_values: [0.06 for _ in p_values])
    assert verdict(claim(above=0), two_arms(0.1, scale=0.02)).verdict == INCONCLUSIVE


def test_a_fact_that_is_a_list_chooses_runs() -> None:
    arms = [{"model.hidden": [64, 64]}, {"model.hidden": [64]}]

    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        return {"test_accuracy": 0.5 + 0.01 * seed + (0.1 if facts == arms[0] else 0.0)}

    asked = Claim("c", "s", "test_accuracy", a=arms[0], b=arms[1], above=0.05)
    found = verdict(asked, records(8, arms, value))
    assert (found.verdict, found.n) == (SUPPORTED, 8)
    assert found.mean == pytest.approx(0.1)


@given(st.lists(st.floats(0, 0.99), min_size=2, max_size=2), st.booleans())
def test_a_list_chooses_the_runs_that_have_it_and_no_others(betas: list[float], own: bool) -> None:
    arms = [{"optimizer.betas": betas}, {"optimizer.betas": [0.5, 0.25]}]
    made = records(2, arms[: 1 + (betas != [0.5, 0.25])], lambda *_: {})
    wanted = arms[0] if own else {"optimizer.betas": [*betas, 0.5]}
    assert len(made.having(wanted)) == (2 if own else 0)


def mean_ratio(factor: float, **asked: Any) -> Verdict:
    """Return the verdict on a claim of a ratio of accuracies that lies about ``factor``."""

    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        spread = math.exp(noise(seed, 0.01))
        return {"test_accuracy": 0.5 * factor * spread if facts == A else 0.5}

    return verdict(claim(effect="ratio", **asked), records(10, ARMS, value))


@pytest.mark.parametrize(
    ("factor", "asked", "expected"),
    [
        (0.005, {"below": 0.01}, SUPPORTED),
        (0.02, {"below": 0.01}, REFUTED),
        (1.5, {"below": 2}, SUPPORTED),
        (1.5, {"below": 1}, REFUTED),
        (1.5, {"above": 1.2}, SUPPORTED),
        (1.0, {"within": [0.9, 1.1]}, SUPPORTED),
        (1.5, {"within": [0.9, 1.1]}, REFUTED),
        (1.5, {"other_than": 1}, SUPPORTED),
        (1.5, {"other_than": 1.5}, INCONCLUSIVE),
    ],
)
def test_a_ratio_is_judged_by_the_margin_that_is_written(
    factor: float, asked: dict[str, Any], expected: str
) -> None:
    found = mean_ratio(factor, **asked)
    assert found.verdict == expected
    low, mean, high = (
        found.claim.statistic.written(each)
        for each in (found.interval.low, found.mean, found.interval.high)
    )
    assert low < mean < high
    assert mean == pytest.approx(factor, rel=0.02)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"a": {"optimizer.learningrate": 1}}, "c.a.optimizer.learningrate: .*'optimizer.lr'"),
        ({"b": {"model.backwards": "identity"}}, "c.b.model.backwards: .*'model.backward'"),
        ({"where": {"label_noise": 1}}, "c.where.label_noise: .*'data.label_noise'"),
        ({"a": {"optimizer.class_path": "study.Adam", "optimizer.momentum": 1}}, "momentum"),
        ({"a": {"seed": 1}, "b": {"seed": 2}}, "c.a.seed: expected other facts"),
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
    assert wording.finding(found[2]).startswith("Log odds ratio 1.")


@pytest.mark.usefixtures("outside")
def test_a_metric_of_the_users_own_gives_a_number_a_row() -> None:
    with pytest.raises(BadInput, match="a number a row of history"):
        verdict(Claim("c", "s", "outside_metrics:row", against=0, above=0), two_arms(0.1, seeds=2))
