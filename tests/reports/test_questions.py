"""Verdicts are grouped by question, the two of the mission first, and the title asks them."""

from __future__ import annotations

import dataclasses

from reports.claims import load_claims
from reports.questions import QUESTIONS, by_question, question, title
from reports.verdicts import NOT_RUN, SUPPORTED, Verdict


def test_every_shipped_family_has_a_question() -> None:
    assert {claim.family for claim in load_claims()} == QUESTIONS.keys()


def test_questions_come_in_their_order_and_claims_in_the_ledgers() -> None:
    verdicts = [Verdict(claim, SUPPORTED) for claim in load_claims()]
    found = by_question(verdicts)
    assert list(found) == list(QUESTIONS.values())
    in_ledger = [each.claim.id for each in verdicts if each.claim.family == "noise"]
    assert [each.claim.id for each in found[question("noise")].registered] == in_ledger
    assert title(verdicts, ["s"]) == f"{question('jacobian')} {question('random-labels')}"


def test_a_claim_that_was_not_run_is_no_answer_but_in_other_settings() -> None:
    one = Verdict(load_claims()[0], NOT_RUN)
    assert by_question([one]) == {}
    assert title([one], ["a", "b"]) == "a, b: what the records say"
    other = dataclasses.replace(one, verdict=SUPPORTED, setting="max_epochs 2")
    answers = by_question([dataclasses.replace(one, elsewhere=[other])])
    assert [(len(a.registered), len(a.elsewhere)) for a in answers.values()] == [(0, 1)]
