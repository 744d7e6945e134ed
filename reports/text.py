"""Numbers in words, the same everywhere."""

from __future__ import annotations

import math

from reports.claims import Claim
from reports.statistics import Interval
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


def on_its_scale(claim: Claim, value: float) -> float:
    """Return an effect as a reader wants it: a log ratio as a ratio.

    Examples
    --------
    >>> claim = Claim("a", "b", "less", "test_accuracy", against=0.5, effect="log_ratio")
    >>> on_its_scale(claim, 0.0)
    1.0
    """
    return math.exp(value) if claim.effect == "log_ratio" else value


def effect(verdict: Verdict) -> str:
    """Return a verdict's effect with its 95% interval."""
    if verdict.n == 0:
        return "–"
    middle = number(on_its_scale(verdict.claim, verdict.mean))
    if math.isnan(verdict.interval.low):
        return middle
    return f"{middle} {interval(verdict.claim, verdict.interval)}"


def interval(claim: Claim, bounds: Interval) -> str:
    """Return an interval on the scale of its claim."""
    low, high = (number(on_its_scale(claim, bound)) for bound in bounds)
    return f"[{low}, {high}]"


def scale(claim: Claim) -> str:
    """Return what an effect is: a ratio, a difference or a share."""
    if claim.kind == "fraction":
        return "share of runs"
    return "ratio" if claim.effect == "log_ratio" else "difference"


def asked(claim: Claim) -> str:
    """Return what an effect had to be, in words.

    Examples
    --------
    >>> asked(Claim("a", "b", "greater", "test_accuracy", against=0.9))
    'above 0'
    """
    if claim.within is not None:
        return f"within {interval(claim, Interval(*claim.within))}"
    margin = number(on_its_scale(claim, claim.margin))
    if claim.kind == "differs":
        return f"other than {margin}"
    return f"{'below' if claim.kind == 'less' else 'above'} {margin}"
