"""A small picture beside each verdict: each seed's dots, the interval, and what was asked."""

from __future__ import annotations

import math
from collections.abc import Iterable

from markupsafe import Markup, escape

from reports import wording
from reports.verdicts import Verdict

WIDE, HIGH, EDGE = 300.0, 92.0, 12.0
ARMS, EFFECTS, AXIS = 16.0, 46.0, 70.0  # heights
APART = 64.0  # of labels


def picture(verdict: Verdict) -> Markup:
    """Return an SVG: above, the two arms of each seed; below, the effects, interval and margin."""
    effects = [float(each) for each in verdict.pairs["effect"] if math.isfinite(each)]
    claim = verdict.claim
    if not effects:
        return Markup("")
    ends = [each for each in verdict.interval if math.isfinite(each)]
    low, high = extent([*effects, *claim.margins, *ends])
    scale = (low, high)
    marks = [_asked(verdict, scale), *(_margin(each, scale) for each in claim.margins)]
    marks += _arms(verdict)
    if len(ends) == len(verdict.interval):
        x1, x2 = (_x(end, scale) for end in ends)
        marks.append(
            f'<line class="interval" x1="{x1}" x2="{x2}" y1="{AXIS - 8}" y2="{AXIS - 8}"/>'
        )
        mean = _x(verdict.mean, scale)
        marks.append(f'<circle class="mean" cx="{mean}" cy="{AXIS - 8}" r="3.5"/>')
    for number, effect in enumerate(effects):
        height = EFFECTS - 6 * (number % 3)
        marks.append(f'<circle class="dot" cx="{_x(effect, scale)}" cy="{height}" r="3"/>')
    marks += _labels(verdict, effects, scale)
    alt = escape(f"{len(effects)} seeds; {wording.finding(verdict)}")
    inner = "".join(marks)
    head = f'<svg viewBox="0 0 {WIDE:g} {HIGH:g}" role="img" aria-label="{alt}">'
    return Markup(f"{head}{inner}</svg>")  # noqa: S704  # numbers, and texts that are escaped


def _labels(verdict: Verdict, effects: list[float], scale: tuple[float, float]) -> list[str]:
    """Return the values of the margins and, where there is room, of the effect farthest away."""
    claim = verdict.claim
    values = [*claim.margins]
    far = max(effects, key=lambda each: min(abs(each - margin) for margin in claim.margins))
    texts: list[tuple[float, float]] = []
    for value in [*values, far]:
        x = float(_x(value, scale))
        if all(abs(x - other) > APART for other, _ in texts):
            texts.append((min(max(x, APART / 2), WIDE - APART / 2), value))
    return [
        f'<text x="{x:.1f}" y="{HIGH - 4}">{escape(wording.on_scale(claim, value))}</text>'
        for x, value in texts
    ]


def extent(values: Iterable[float], share: float = 0.12) -> tuple[float, float]:
    """Return the ends of a scale that shows some values, with a share of it as room at each side.

    Examples
    --------
    >>> extent([0, 1], share=0.5), extent([2], share=0.5), extent([0], share=0.5)
    ((-0.5, 1.5), (1.0, 3.0), (-0.5, 0.5))
    """
    values = list(values)
    low, high = min(values), max(values)
    room = share * (high - low or abs(low) or 1.0)
    return low - room, high + room


def _x(value: float, scale: tuple[float, float]) -> str:
    low, high = scale
    return f"{EDGE + (value - low) / (high - low) * (WIDE - 2 * EDGE):.1f}"


def _asked(verdict: Verdict, scale: tuple[float, float]) -> str:
    """Return the shaded side of the margin on which the effect was asked to lie."""
    margins, (low, high) = verdict.claim.margins, scale
    sides = {"above": (margins[0], high), "below": (low, margins[0]), "within": margins[:2]}
    if verdict.claim.asked not in sides:
        return ""
    left, right = (float(_x(end, scale)) for end in sides[verdict.claim.asked])
    size = f'x="{left}" width="{max(0.0, right - left):.1f}" y="26" height="{AXIS - 26}"'
    return f'<rect class="claimed" {size}/>'


def _margin(margin: float, scale: tuple[float, float]) -> str:
    x = _x(margin, scale)
    return f'<line class="margin" x1="{x}" x2="{x}" y1="24" y2="{AXIS + 2}"/>'


def _arms(verdict: Verdict) -> list[str]:
    """Return both arms' values on a scale of their own: filled dots and rings."""
    pairs = verdict.pairs
    sides = [(name, pairs[name].dropna().astype(float)) for name in ("a", "b")]
    values = [value for _, column in sides for value in column if math.isfinite(value)]
    if verdict.claim.statistic.of_runs or not values:
        return []
    scale = extent(values)
    heights = {"a": ARMS, "b": ARMS - 8}
    return [
        f'<circle class="arm {name}" cx="{_x(value, scale)}" cy="{heights[name]}" r="3"/>'
        for name, column in sides
        for value in column
        if math.isfinite(value)
    ]
