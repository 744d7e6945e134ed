"""What a claim chooses or follows within runs: epochs, learning rates, trends and bands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from arms import ARMS, A, B, verdict
from records import records

from reports import wording
from reports.claims import Claim
from reports.page import selection
from reports.verdicts import INCONCLUSIVE, NOT_RUN, REFUTED, SUPPORTED

CONFIG = """
name: own
vary:
  model.backward: [jacobian, identity]
  optimizer.lr: [0.001, 0.01]
"""
RATES = [{**arm, "optimizer.lr": rate} for arm in ARMS for rate in (0.001, 0.01)]


@pytest.fixture
def at_its_best(tmp_path: Path) -> Claim:
    config = tmp_path / "own.yaml"
    config.write_text(CONFIG)
    return Claim(
        "c",
        "s",
        "train_accuracy",
        a=A,
        b=B,
        best_of="optimizer.lr",
        by="validation_cross_entropy",
        above=0,
        config=str(config),
    )


def swept(seed: int, facts: Any, epoch: int) -> dict[str, float]:
    """Return values by which identity's best rate is 0.01 and the Jacobian's is 0.001."""
    at = (facts["model.backward"], facts["optimizer.lr"])
    loss, accuracy = {
        ("identity", 0.01): (0.2, 0.95),
        ("identity", 0.001): (0.3, 0.90),
        ("jacobian", 0.01): (0.3, 0.99),  # the best accuracy does not choose
        ("jacobian", 0.001): (0.2, 0.93),
    }[at]
    return {"validation_cross_entropy": loss, "train_accuracy": accuracy}


def test_each_arm_is_judged_at_its_own_best(at_its_best: Claim) -> None:
    found = verdict(at_its_best, records(6, RATES, swept))
    assert (found.verdict, found.mean) == (SUPPORTED, pytest.approx(0.02))
    assert found.chosen == (
        "chosen by validation_cross_entropy: a at lr 0.01 (the largest tried), "
        "b at lr 0.001 (the smallest tried)"
    )
    assert set(found.runs) == {"a", "b"}
    assert len(found.runs) == 6


def test_a_rate_at_which_runs_diverge_is_not_chosen(at_its_best: Claim) -> None:
    def outcome(seed: int, facts: Any) -> dict[str, Any]:
        dead = seed == 0 and facts["model.backward"] == "identity" and facts["optimizer.lr"] == 0.01
        return {"status": "diverged" if dead else "finished", "epochs": 2}

    found = verdict(at_its_best, records(6, RATES, swept, outcome=outcome))
    assert found.chosen == (
        "chosen by validation_cross_entropy: a at lr 0.001 (the smallest tried), "
        "b at lr 0.001 (the smallest tried)"
    )
    assert found.verdict == REFUTED


def test_all_rates_of_the_config_and_no_others_are_chosen_from(at_its_best: Claim) -> None:
    found = verdict(at_its_best, records(6, RATES[:-1], swept))
    assert (found.verdict, found.left_out) == (NOT_RUN, ("b: no run at lr 0.01",))

    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        if facts["optimizer.lr"] == 0.1:
            return {"validation_cross_entropy": 0.0, "train_accuracy": 0.0}
        return swept(seed, facts, epoch)

    more = [*RATES, {**A, "optimizer.lr": 0.1}]
    assert verdict(at_its_best, records(6, more, value)).mean == pytest.approx(0.02)


def peaked(seed: int, facts: Any, epoch: int) -> dict[str, float]:
    """Return a test accuracy that peaks in epoch 1, and one that only chance moves."""
    half = facts["data.label_noise"] == 0.5
    test = [0.1, 0.8, 0.6][epoch] if half else [0.1, 0.12, 0.11][epoch]
    # The test set's own best epoch would be another for half of the seeds.
    return {
        "test_accuracy": test,
        "validation_accuracy": [0.1, 0.7, 0.6 + 0.2 * (seed == 0)][epoch],
    }


def test_an_early_peak_is_chosen_on_the_validation_split_less_that_of_random_labels() -> None:
    noise = [{"data.label_noise": 0.5}, {"data.label_noise": 1.0}]
    asked = Claim(
        "c",
        "s",
        "test_accuracy",
        a=noise[0],
        b=noise[1],
        at="best",
        by="validation_accuracy",
        less="fit",
        above=0.01,
        images=False,
    )
    fit = {"epochs_to_fit": 2, "status": "fitted"}
    found = verdict(asked, records(12, noise, peaked, outcome=lambda *_: fit))
    assert found.pairs["a"].tolist() == pytest.approx([0.0] + [0.2] * 11)
    assert found.pairs["b"].tolist() == pytest.approx([0.0] + [0.01] * 11)
    assert found.verdict == SUPPORTED
    # Runs that never fit have no accuracy at fit: they help no claim.
    found = verdict(asked, records(12, noise, peaked))
    assert (found.verdict, found.censored) == (INCONCLUSIVE, 24)


def trend(slope: float) -> Any:
    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        level = facts["data.label_noise"]
        wave = 0.02 if seed % 2 and level == 0.5 else 0.0
        return {"train_accuracy": 0.5 + slope * level + wave}

    return value


LEVELS = (0.0, 0.1, 0.5, 1.0)
TREND = Claim(
    "c",
    "s",
    "train_accuracy",
    over={"data.label_noise": list(LEVELS)},
    effect="kendall",
    below=-0.5,
)


def test_a_trend_is_each_seeds_rank_correlation_over_all_levels() -> None:
    arms = [{"data.label_noise": level} for level in LEVELS]
    found = verdict(TREND, records(8, arms, trend(-0.4)))
    assert (found.verdict, found.mean) == (SUPPORTED, -1)
    words = wording.effect(found)
    assert words == "from 50 % at label_noise 0 to 10 % at 1, −1 [−1, −1]"
    assert len(found.runs.columns) == 4
    rising = verdict(TREND, records(8, arms, trend(0.4)))
    assert rising.verdict == REFUTED
    part = verdict(TREND, records(8, arms[:3], trend(-0.4)))
    assert (part.verdict, part.left_out) == (
        NOT_RUN,
        ("data.label_noise 1: no run at label_noise 1",),
    )


def test_the_last_epoch_at_which_another_metric_is_inside_a_band() -> None:
    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        return {
            "test_cross_entropy": [2.3, 2.35, 2.2, 3.0, 9.0][epoch],
            "train_cross_entropy": [2.3, 2.25, 1.84, 0.5, 0.0][epoch],
        }

    asked = Claim(
        "c",
        "s",
        "train_cross_entropy",
        at={"metric": "test_cross_entropy", "within": [0.95, 1.05]},
        against="first",
        effect="ratio",
        above=0.01,
    )
    found = verdict(asked, records(8, [{}], value, epochs=range(5)))
    assert found.verdict == SUPPORTED
    assert wording.effect(found) == "1.84 against 2.3, 0.8× [0.8, 0.8]"
    never = replace(asked, above=None, below=0.01)
    assert verdict(never, records(8, [{}], value, epochs=range(5))).verdict == REFUTED


def test_the_page_says_what_claims_choose(at_its_best: Claim) -> None:
    assert selection([TREND]) == "Nothing else is chosen by a result"
    rule = "Optimizer.lr by validation_cross_entropy, in c; nothing else is chosen by a result"
    assert selection([TREND, at_its_best]) == rule
