"""The questions that families of claims answer, in words for titles; a family's name stands in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from reports.verdicts import NOT_RUN, Verdict

# In the order in which a page answers them; families of others come after these.
QUESTIONS = {
    "jacobian": "Does skipping the softmax Jacobian help training?",
    "random-labels": "What does a network do with random labels?",
    "fit": "How long do random labels take to fit?",
    "noise": "What does label noise cost?",
    "inputs": "Does a network fit images whose structure is destroyed?",
    "elsewhere": "Does skipping it help with another optimizer or depth?",
    "mechanism": "Why does training diverge without the Jacobian?",
    "derivation": "Is the derived softmax gradient the true one?",
    "adam": "Does the hand-written Adam train as torch's does?",
}


def question(family: str) -> str:
    """Return a family's question.

    Examples
    --------
    >>> question("adam"), question("my-own")
    ("Does the hand-written Adam train as torch's does?", 'My own')
    """
    return QUESTIONS.get(family) or family.replace("-", " ").capitalize()


class Answers(NamedTuple):
    """The verdicts on one question: of the settings that were registered, and of others."""

    registered: list[Verdict]
    elsewhere: list[Verdict]


def by_question(verdicts: Sequence[Verdict], most: int | None = None) -> dict[str, Answers]:
    """Return the verdicts on claims that were run, by their question.

    Of each claim ``most`` other settings at most.
    """
    found: dict[str, Answers] = {}
    first = list(QUESTIONS)
    for each in sorted(
        verdicts,
        key=lambda v: first.index(v.claim.family) if v.claim.family in first else len(first),
    ):
        if each.verdict != NOT_RUN or each.elsewhere:
            answers = found.setdefault(question(each.claim.family), Answers([], []))
            answers.registered.extend([each] if each.verdict != NOT_RUN else [])
            answers.elsewhere.extend(each.elsewhere[:most])
    return found


def title(verdicts: Sequence[Verdict], studies: Sequence[str]) -> str:
    """Return the page's title: the first two questions that were judged, or the studies' names."""
    asked = list(by_question(verdicts))[:2]
    return " ".join(asked) or f"{', '.join(studies)}: what the records say"
