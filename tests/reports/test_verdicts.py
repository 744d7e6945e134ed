"""Verdicts on records whose truth is known."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from arms import ARMS, A, B, claim, noise, two_arms, verdict
from hypothesis import given, settings
from hypothesis import strategies as st
from records import records

from reports import wording
from reports.claims import Claim
from reports.judging import judged
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


def test_one_claim_needs_six_seeds_and_a_larger_family_more() -> None:
    found = verdict(claim(above=0), two_arms(0.3, seeds=5, scale=0.001))
    assert (found.verdict, found.why) == (INCONCLUSIVE, "5 seeds: a claim needs 6")
    assert verdict(claim(above=0), two_arms(0.3, seeds=6, scale=0.001)).verdict == SUPPORTED
    family = [replace(claim(above=0), id=f"c{number}") for number in range(5)]
    few = judge_all(family, two_arms(0.3, seeds=7, scale=0.001))
    assert few[0].why == "7 seeds: a family of 5 claims needs 8"
    assert math.isinf(few[0].interval.low)
    assert math.isfinite(few[0].unadjusted.low)
    enough = judge_all(family, two_arms(0.3, seeds=8, scale=0.001))
    assert [each.verdict for each in enough] == [SUPPORTED] * 5


def test_an_undecided_verdict_says_how_many_seeds_would_settle_it() -> None:
    found = verdict(claim(above=0), two_arms(0.05, seeds=12, scale=0.1))
    assert found.verdict == INCONCLUSIVE
    assert re.match(r"\d+ more seeds would settle it in 8 of 10 cases", found.why)


def test_of_a_mean_on_its_margin_no_number_of_seeds_is_said() -> None:
    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        return {"train_accuracy": 0.5 + (0.1 if seed % 2 else -0.1) * (facts == A)}

    found = verdict(claim(above=0), records(8, ARMS, value))
    assert (found.verdict, found.why) == (INCONCLUSIVE, "")


def test_a_claim_without_runs_says_which_command_would_make_them() -> None:
    asked = Claim(
        "c",
        "s",
        "train_accuracy",
        above=0,
        where={"model.loss": "cross_entropy"},
        a={"model.backward": "autograd"},
        b=B,
        config="configs/derivation.yaml",
    )
    found = verdict(asked, two_arms(0.1))
    assert found.verdict == NOT_RUN
    assert found.why == "train: python -m study.fit --config configs/derivation.yaml --seeds 8"
    assert found.command == f"{found.why[7:]} && python -m reports results/derivation"
    assert found.n == 0


@pytest.mark.parametrize(
    ("failing", "above", "expected"),
    [(0, 0.75, SUPPORTED), (1, 0.75, INCONCLUSIVE), (0, 0.8, INCONCLUSIVE), (9, 0.75, REFUTED)],
)
def test_all_runs_do_and_the_bound_on_others_is_below_the_margin(
    failing: int, above: float, expected: str
) -> None:
    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        return {"train_accuracy": 0.9 if seed < failing else 1.0}

    asked = Claim("c", "s", "train_accuracy", effect="share", against=1.0, above=above)
    found = verdict(asked, records(12, [{}], value))
    assert found.verdict == expected
    if not failing:  # 1 - .05^(1/12)
        assert found.interval == pytest.approx((1 - 0.2209, 1), abs=1e-4)
    assert wording.effect(found) == f"{12 - failing} of 12 runs"


def test_a_claim_about_another_epoch_of_the_same_runs() -> None:
    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        return {"train_accuracy": [0.1, 0.8 + 0.001 * seed, 0.6][epoch]}

    best = Claim("c", "s", "train_accuracy", at="largest", against="last", above=0.01)
    first = Claim("d", "s", "train_accuracy", at="first", against="last", above=0)
    made = records(8, [{}], value)
    assert [each.verdict for each in judge_all([best, first], made)] == [SUPPORTED, REFUTED]


def test_each_claim_of_a_family_has_its_share_of_the_error() -> None:
    asked = [replace(claim(above=0), id=f"c{number}") for number in range(3)]
    other = replace(claim(above=0), id="d", family="another")
    *found, alone = judge_all([*asked, other], two_arms(0.1, seeds=8, scale=0.02))
    assert [each.p_adjusted for each in found] == pytest.approx([3 * each.p for each in found])
    assert (alone.family, alone.p_adjusted) == (1, alone.p)
    assert found[0].level == pytest.approx(1 - 0.05 / 3)
    assert found[0].interval.low < found[0].unadjusted.low
    assert found[0].unadjusted.low == pytest.approx(alone.interval.low, abs=0.01)


@given(
    st.lists(st.floats(-1, 1).map(lambda value: round(value, 3)), min_size=6, max_size=11),
    st.sampled_from([{"above": 0}, {"below": 0.1}, {"other_than": 0}, {"within": (-0.5, 0.5)}]),
    st.sampled_from([1, 3, 9]),
)
@settings(max_examples=60, deadline=None)
def test_interval_and_p_value_never_contradict_each_other(
    effects: list[float], asked: dict[str, Any], family: int
) -> None:
    its = claim(**asked)
    found = judged(its, pd.DataFrame({"effect": effects, "stands_in": ""}), 1 - 0.05 / family)
    outside = [not found.interval.low <= margin <= found.interval.high for margin in its.margins]
    assert (found.p * family <= 0.05 + 1e-12) == (found.holds or found.fails)
    assert (found.holds or found.fails) <= all(outside) or "within" in asked
    assert found.interval.low <= found.unadjusted.low
    assert found.interval.high >= found.unadjusted.high


def mean_ratio(factor: float, **asked: Any) -> Verdict:
    """Return the verdict on a claim of a ratio of accuracies that lies about ``factor``."""

    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        spread = math.exp(noise(seed, 0.01))
        return {"train_accuracy": 0.5 * factor * spread if facts == A else 0.5}

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
