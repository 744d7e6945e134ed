"""The references are those of the judged claims, each once."""

from __future__ import annotations

from arms import claim

from reports.claims import load_claims
from reports.references import KNOWN, references, works
from reports.verdicts import NOT_RUN, SUPPORTED, Verdict


def test_every_work_that_a_shipped_claim_names_is_known() -> None:
    named = {work for claim in load_claims() for work in works(claim.source or "")}
    assert named == KNOWN.keys()


def test_works_of_judged_claims_are_listed_once() -> None:
    judged = [
        Verdict(claim(source="Zhang et al. (2017), figure 1c", above=0), SUPPORTED),
        Verdict(
            claim(source="the report; Somebody (2031), and Zhang et al. (2017)", above=0), SUPPORTED
        ),
        Verdict(claim(source="Kingma & Ba (2015)", above=0), NOT_RUN),
        Verdict(claim(above=0), SUPPORTED),
    ]
    assert references(judged) == [
        "Somebody (2031)",
        KNOWN["the report"],
        KNOWN["Zhang et al. (2017)"],
    ]
