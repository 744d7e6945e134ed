"""Runs that diverged, died early or did not fit help no claim."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from arms import ARMS, A, B, claim, verdict
from records import records

from reports import wording
from reports.claims import Claim
from reports.read import Records
from reports.verdicts import INCONCLUSIVE, REFUTED, SUPPORTED

NOISE = [{"data.label_noise": 1.0}, {"data.label_noise": 0.0}]
RANDOM, TRUE = NOISE
SLOWER = Claim("c", "s", "epochs_to_fit", a=RANDOM, b=TRUE, effect="ratio", within=(1, 10))


def fits(times: Mapping[str, list[int | None]], diverged: tuple[int, ...] = ()) -> Records:
    """Return runs with these times to fit; of some seeds both runs diverged at epoch 3."""

    def outcome(seed: int, facts: Any) -> dict[str, Any]:
        time = times["random" if facts == RANDOM else "true"][seed]
        if seed in diverged:
            return {"epochs_to_fit": None, "status": "diverged", "epochs": 3}
        status = "finished" if time is None else "fitted"
        return {"epochs_to_fit": time, "status": status, "epochs": time or 30}

    return records(len(times["true"]), NOISE, lambda *_: {}, outcome=outcome)


def test_runs_that_did_not_fit_are_censored_and_judged_by_signs() -> None:
    times: list[int | None] = [20 + seed for seed in range(8)]
    made = fits({"random": times, "true": [5] * 8})
    assert verdict(SLOWER, made).verdict == SUPPORTED
    made = fits({"random": [*times[:6], None, None], "true": [5] * 8})
    found = verdict(SLOWER, made)
    # Six pairs lie between the bounds; two took at least 6 times as long, perhaps more than 10.
    assert (found.verdict, found.censored, found.n) == (INCONCLUSIVE, 2, 8)
    slower = verdict(replace(SLOWER, within=None, above=1), made)
    assert (slower.verdict, slower.p) == (SUPPORTED, pytest.approx(2 / 2**6))
    assert math.isnan(found.interval.low)
    text = wording.effect(found)
    assert "at least" in text
    assert text.endswith("2 of 8 did not fit")
    made = fits({"random": [*times[:5], None, None, None], "true": [5] * 8})
    assert verdict(SLOWER, made).verdict == INCONCLUSIVE


def test_pairs_of_two_censored_runs_tie() -> None:
    made = fits({"random": [None] * 8, "true": [None] * 8})
    found = verdict(SLOWER, made)
    assert (found.verdict, found.p, found.censored) == (INCONCLUSIVE, 1.0, 16)
    assert verdict(replace(SLOWER, within=None, above=1), made).verdict == INCONCLUSIVE


def test_a_diverged_run_has_not_fitted_at_the_epoch_at_which_it_died() -> None:
    made = fits({"random": [None] * 8, "true": [2] * 8}, diverged=(0, 1, 2))
    # Were the three taken for fits at epoch 3, their factor of 1.5 would be within the bounds.
    found = verdict(SLOWER, made)
    assert found.pairs["a"].tolist()[:4] == [100.0] * 3 + [30.0]  # of at most 100 epochs
    assert (found.verdict, found.diverged, found.censored) == (INCONCLUSIVE, 6, 5)


def test_failure_to_fit_counts_against_a_claim() -> None:
    made = fits({"random": [None] * 8, "true": [2] * 8})
    assert verdict(SLOWER, made).verdict == REFUTED  # at least 15 times
    longer = replace(SLOWER, within=None, above=1)
    assert verdict(longer, made).verdict == INCONCLUSIVE
    # Nor does it refute what might be so: 15 times or more may be 20 times.
    assert verdict(replace(longer, above=20), made).verdict == INCONCLUSIVE
    assert verdict(replace(longer, above=None, below=14), made).verdict == REFUTED
    assert verdict(replace(longer, above=None, below=20), made).verdict == INCONCLUSIVE


def dying(which: Mapping[str, int], epoch: int = 2) -> Records:
    """Return two arms of which the first seeds of each diverge at an epoch."""

    def dies(seed: int, facts: Any) -> bool:
        return seed < which.get(facts["model.backward"], 0)

    def value(seed: int, facts: Any, at: int) -> dict[str, float]:
        bad = dies(seed, facts) and at >= epoch
        good = 0.01 if facts == A else 0.02
        return {
            "train_cross_entropy": math.nan if bad else good,
            "train_accuracy": 0.098 if bad else 1 - good,
        }

    def outcome(seed: int, facts: Any) -> dict[str, Any]:
        if dies(seed, facts):
            return {"status": "diverged", "epochs": epoch}
        return {"status": "finished"}

    return records(12, ARMS, value, outcome=outcome)


LOSS = Claim("c", "s", "train_cross_entropy", a=A, b=B, effect="ratio", below=1)


def test_a_capped_effect_is_a_bound_without_an_interval() -> None:
    found = verdict(LOSS, dying({"identity": 11}))
    assert (found.verdict, found.diverged) == (REFUTED, 11)
    text = wording.effect(found)
    assert text == "41 against 0.02, at least 2,050×; 11 of 12 diverged"


def test_divergence_of_either_arm_helps_no_claim() -> None:
    assert verdict(LOSS, dying({})).verdict == SUPPORTED
    assert verdict(LOSS, dying({"jacobian": 12})).verdict == INCONCLUSIVE
    assert verdict(LOSS, dying({"jacobian": 5})).verdict == SUPPORTED  # seven pairs without
    worse = replace(LOSS, below=None, above=1)
    assert verdict(worse, dying({"identity": 12})).verdict == INCONCLUSIVE
    assert verdict(worse, dying({"identity": 12, "jacobian": 12})).verdict == INCONCLUSIVE
    alike = replace(LOSS, below=None, within=(0.1, 2))
    assert verdict(alike, dying({"identity": 12, "jacobian": 12})).verdict == INCONCLUSIVE


def test_what_helps_no_claim_refutes_none_either() -> None:
    # Of 12 pairs 6 speak against the claim, and 6 for it by a run that diverged.
    def value(seed: int, facts: Any, at: int) -> dict[str, float]:
        if facts == B and seed < 6 and at == 2:
            return {"train_cross_entropy": math.nan}
        return {"train_cross_entropy": 2.0 if facts == A else 1.0}

    def outcome(seed: int, facts: Any) -> dict[str, Any]:
        return {"status": "diverged" if facts == B and seed < 6 else "finished", "epochs": 2}

    assert verdict(LOSS, records(12, ARMS, value, outcome=outcome)).verdict == INCONCLUSIVE


def test_the_worst_accuracy_is_chance_and_is_no_evidence_of_chance() -> None:
    near = Claim("c", "s", "train_accuracy", a=A, against=0.1, within=(-0.03, 0.03))
    found = verdict(near, dying({"identity": 12}))
    assert found.pairs["a"].tolist() == [0.1] * 12
    assert found.verdict == INCONCLUSIVE
    high = Claim("c", "s", "train_accuracy", a=A, against=0.9, above=0)
    assert verdict(high, dying({"identity": 12})).verdict == REFUTED
    below = Claim("c", "s", "train_accuracy", a=A, against=0.9, below=0)
    assert verdict(below, dying({"identity": 12})).verdict == INCONCLUSIVE


def test_an_epoch_that_a_diverged_run_never_reached_has_the_worst_value() -> None:
    made = dying({"identity": 4}, epoch=1)
    dead = made.history["train_cross_entropy"].isna() & (made.history["epoch"] == 2)
    made = replace(made, history=made.history[~dead])
    found = verdict(replace(LOSS, at=2), made)
    assert (found.n, found.diverged, found.stand_ins) == (12, 4, 4)
    assert found.pairs["a"].tolist()[:5] == [87.3] * 4 + [0.01]
    assert verdict(replace(LOSS, at=0), made).stand_ins == 0


def test_an_epoch_after_a_run_has_stopped_is_left_out_and_said() -> None:
    made = dying({})
    found = verdict(replace(LOSS, at=10), made)
    assert (found.verdict, found.n) == ("not run", 0)
    assert found.left_out[0].endswith("no train_cross_entropy at epoch 10")


def test_a_share_is_not_helped_by_runs_that_diverged() -> None:
    none = Claim("c", "s", "train_accuracy", a=A, effect="share", against=0.5, below=0.3)
    assert verdict(none, dying({"identity": 12})).verdict == INCONCLUSIVE
    all_do = Claim("c", "s", "train_accuracy", a=A, effect="share", against=0.5, above=0.7)
    assert verdict(all_do, dying({})).verdict == SUPPORTED
    assert verdict(all_do, dying({"identity": 1})).verdict == INCONCLUSIVE


def test_two_censored_runs_tie_whatever_the_margin() -> None:
    assert (
        verdict(claim(above=-0.5), dying({"identity": 12, "jacobian": 12})).verdict == INCONCLUSIVE
    )
