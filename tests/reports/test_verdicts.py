"""Verdicts on records whose truth is known."""

from __future__ import annotations

import math
from typing import Any

import pytest
from arms import ARMS, A, B, claim, noise, two_arms, verdict
from records import records

import reports.verdicts as module
from reports.claims import Claim
from reports.read import Records
from reports.verdicts import INCONCLUSIVE, NOT_RUN, REFUTED, SUPPORTED, Verdict, judge_all


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
