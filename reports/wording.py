"""How numbers, effects and verdicts are written, the same in every output."""

from __future__ import annotations

import math
from pathlib import Path

from reports.claims import Claim
from reports.verdicts import Verdict


def number(value: float) -> str:
    """Return a number with three digits that count, or more where it is near 1.

    Examples
    --------
    >>> number(0.012345), number(-2.5), number(0.99991), number(float("nan"))
    ('0.0123', '−2.5', '0.99991', '–')
    """
    if math.isnan(value):
        return "–"
    digits = 5 if 0 < abs(value - 1) < 0.01 else 3
    return f"{value:.{digits}g}".replace("-", "−")


def cell(value: object) -> str:
    """Return what a table's cell shows.

    Examples
    --------
    >>> cell(0.12345), cell(1200.0), cell(float("nan")), cell("a")
    ('0.123', '1200', '–', 'a')
    """
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if value.is_integer() else number(value)


def p_value(p: float) -> str:
    """Return a p-value.

    Examples
    --------
    >>> p_value(0.0312), p_value(0.00001), p_value(float("nan"))
    ('0.031', '< 0.001', '–')
    """
    if math.isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def effect(verdict: Verdict) -> str:
    """Return a verdict's effect with its 95% interval, as its claim writes effects."""
    if verdict.n == 0:
        return "–"
    written = verdict.claim.statistic.written
    middle = number(written(verdict.mean))
    if math.isnan(verdict.interval.low):
        return middle
    return f"{middle} {_interval(*map(written, verdict.interval))}"


def _interval(low: float, high: float) -> str:
    return f"[{number(low)}, {number(high)}]"


def scale(claim: Claim) -> str:
    """Return what an effect is called: a ratio, a difference, or a share of runs."""
    return claim.statistic.word


def asked(claim: Claim) -> str:
    """Return where an effect was claimed to lie, in words.

    Examples
    --------
    >>> asked(Claim("a", "b", "test_accuracy", against=0.9, above=0))
    'above 0'
    """
    if claim.within is not None:
        return f"within {_interval(*claim.within)}"
    return f"{claim.asked.replace('_', ' ')} {number(getattr(claim, claim.asked))}"


def finding(verdict: Verdict) -> str:
    """Return a verdict's effect and what was claimed of it, in a sentence without its end."""
    claim = verdict.claim
    return f"{scale(claim).capitalize()} {effect(verdict)}, asked {asked(claim)}"


def write(path: Path, text: str) -> None:
    """Write a text file in UTF-8; what UTF-8 has no bytes for is written as an escape."""
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
