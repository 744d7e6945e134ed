"""An explanation describes the runs that a verdict rests on, and no others."""

from __future__ import annotations

from typing import Any

import pytest
from arms import ARMS, A, claim, verdict
from records import records

from reports.explain import explain
from reports.figures import both_halves
from reports.read import Records


def made() -> Records:
    """Return records in which identity sends a hundred times too much, and two seeds diverge."""

    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        exact = 1.0 / (1 + epoch)
        return {
            "gradient_exact_norm": exact,
            "gradient_norm": exact * (100 if facts == A else 1),
            "gradient_exact_cosine": 0.5 if facts == A else 1.0,
            "gradient_zero_share": 0.25 if facts == A and epoch == 2 else 0.0,
            "gradient_largest_g": 7.0,
            "train_cross_entropy": {0: 2.0, 1: 1.0, 2: 4.0}[epoch],
        }

    def outcome(seed: int, facts: Any) -> dict[str, Any]:
        gone = facts == A and seed in (1, 4)
        return {"status": "diverged" if gone else "finished", "epochs": 1 if gone else 2}

    return records(8, ARMS, value, outcome=outcome)


def test_it_says_what_reached_the_logits_and_who_diverged_when() -> None:
    found = made()
    said = explain(verdict(claim(above=0), found), found)
    identity, _, jacobian = said.partition("B (jacobian)")
    assert identity.startswith("A (identity): what reached the logits had a cosine of 0.5 with the")
    assert "true gradient p − y and 100 times its norm" in identity
    assert "from 0.5 after the first epoch to 0.333 after the last" in identity
    assert "exactly 0 was sent, to up to 25 % of examples" in identity
    assert "lowest at epoch 1, 1, and ended at 4 (medians over runs)" in identity
    assert "2 of 8 runs diverged: seed 1 at epoch 1, seed 4 at epoch 1." in identity
    assert jacobian.startswith(": the true gradient p − y reached the logits; ")
    assert "saturated" not in jacobian


def test_it_has_nothing_to_say_where_no_run_was_judged() -> None:
    found = made()
    assert explain(verdict(claim(above=0, where={"data.label_noise": 0.5}), found), found) == ""


def test_both_halves_marks_the_last_epoch_inside_the_band() -> None:
    tests = {0: 2.0, 1: 2.08, 2: 2.2, 3: 2.0, 4: 3.0}

    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        return {"test_cross_entropy": tests[epoch], "train_cross_entropy": 2.0 / (1 + epoch)}

    table = both_halves.data(records(2, [{"data.label_noise": 1.0}], value, epochs=range(5)))
    inside = table[table["inside"]]
    assert inside["epoch"].tolist() == [3, 3]
    assert inside["train"].tolist() == pytest.approx([0.25, 0.25])
    assert both_halves.data(records(2, [{"data.label_noise": 0.0}], value, epochs=range(5))).empty
