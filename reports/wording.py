"""How numbers, effects and verdicts are written, the same in every output."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from reports.claims import Claim
from reports.metrics import OUTCOMES, at_in_words
from reports.statistics import Interval
from reports.verdicts import Verdict


def number(value: float) -> str:
    """Return a number with three digits that count, or more where it is near 1.

    Examples
    --------
    >>> number(0.012345), number(-2.5), number(0.99991), number(9163.2), number(float("nan"))
    ('0.0123', '−2.5', '0.99991', '9,160', '–')
    """
    if math.isnan(value):
        return "–"
    digits = 5 if 0 < abs(value - 1) < 0.01 else 3
    text = f"{value:.{digits}g}"
    if 1_000 <= abs(value) < 1e9:
        text = f"{float(text):,.0f}"
    return text.replace("-", "−").replace("inf", "∞")


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
    return "< 0.001" if p < 0.001 else "1" if p == 1 else f"{p:.3f}"


def in_units(claim: Claim, value: float, *, signed: bool = False) -> str:
    """Return a value of a claim's metric: an accuracy in per cent.

    Examples
    --------
    >>> in_units(Claim("a", "b", "test_accuracy", against=0.9, above=0), 0.107)
    '10.7 %'
    """
    if "accuracy" in claim.metric and ":" not in claim.metric:
        shown = number(100 * value)
        unit = "%" if not signed else "point" if shown == "1" else "points"
        return f"{'+' if signed and value > 0 else ''}{shown} {unit}"
    return f"{'+' if signed and value > 0 else ''}{number(value)}"


def on_scale(claim: Claim, tested: float) -> str:
    """Return an effect as its claim writes effects, with its unit; of one as it is tested."""
    value = claim.statistic.written(tested)
    if claim.statistic.linear:
        return in_units(claim, value, signed=True)
    return f"{number(value)}{'×' if claim.effect == 'ratio' else ''}"


def interval(claim: Claim, found: Interval) -> str:
    """Return an interval on the scale of a claim's effects, without its unit; – for none.

    Examples
    --------
    >>> claim = Claim("a", "b", "test_accuracy", against=0.9, above=0)
    >>> interval(claim, Interval(-0.006, 0.016))
    '[−0.6, 1.6]'
    """
    if math.isnan(found.low):
        return "–"
    points = 100 if claim.statistic.linear and in_units(claim, 0).endswith("%") else 1
    ends = (number(points * claim.statistic.written(end)) for end in found)
    return f"[{', '.join(ends)}]"


def effect(verdict: Verdict) -> str:
    """Return a verdict's effect in its own unit with both arms, and the interval that decides."""
    if verdict.n == 0:
        return "–"
    claim, table = verdict.claim, verdict.pairs
    if claim.statistic.of_runs:
        return f"{int(table['effect'].sum())} of {verdict.n} runs"
    if verdict.stand_ins:
        known = [_arms(verdict)] if verdict.pairs[["a", "b"]].notna().any().all() else []
        return ", ".join([*known, _bound(verdict)])
    return f"{_arms(verdict)}, {on_scale(claim, verdict.mean)} {interval(claim, verdict.interval)}"


def _arms(verdict: Verdict) -> str:
    """Return both arms' means: of a ratio geometric ones, so that their ratio is the effect."""
    claim, table = verdict.claim, verdict.pairs
    means = []
    for side in ("a", "b"):
        values = table[side].dropna().to_numpy(dtype=float)
        if claim.effect == "ratio" and len(values) and (values > 0).all():
            means.append(float(np.exp(np.log(values).mean())))
        else:
            means.append(float(values.mean()) if len(values) else math.nan)
    first, second = (in_units(claim, mean, signed=claim.less is not None) for mean in means)
    if claim.over is not None:
        key, levels = next(iter(claim.over.items()))
        name = key.rpartition(".")[2]
        return f"from {first} at {name} {levels[0]:g} to {second} at {levels[-1]:g}"
    return f"{first} against {second}"


def _bound(verdict: Verdict) -> str:
    """Return an effect in which values stand in for runs that diverged or did not fit."""
    claim, sides = verdict.claim, set("".join(verdict.pairs["stands_in"]))
    words = ""
    if len(sides) == 1 and (claim.statistic.linear or claim.effect == "ratio"):
        # The worst value is the smallest of accuracies, and the largest of all else.
        up = ("a" in sides) != ("accuracy" in claim.metric)
        words = "at least " if up else "at most "
    elif claim.over is not None:
        words = "with the worst value in their place "
    known = "" if math.isnan(verdict.mean) else words + on_scale(claim, verdict.mean) + "; "
    return known + stand_ins(verdict)


def stand_ins(verdict: Verdict) -> str:
    """Return how many runs diverged, and how many did not fit where that matters.

    Of a side that has all of them it is said of how many runs; a trend has a side a level.
    """
    runs = verdict.n * verdict.runs.shape[1]
    one_side = set("".join(verdict.pairs["stands_in"])) in ({"a"}, {"b"})
    if one_side and verdict.claim.over is None:
        runs = verdict.n
    counts = ((verdict.diverged, "diverged"), (verdict.censored, "did not fit"))
    parts = [f"{count} of {runs} {what}" for count, what in counts if count]
    return ", ".join(parts) or f"{verdict.stand_ins} of {verdict.n} capped"


def asked(claim: Claim) -> str:
    """Return where an effect was claimed to lie, in words.

    Examples
    --------
    >>> asked(Claim("a", "b", "test_accuracy", against=0.9, above=0))
    'above 0 points'
    >>> asked(Claim("a", "b", "train_accuracy", against=1, effect="share", above=0.7))
    'all runs, and others at most 30 %'
    """
    if claim.statistic.of_runs:
        margin = float(getattr(claim, claim.asked))
        others = 1 - margin if claim.asked == "above" else margin
        who = "all runs" if claim.asked == "above" else "no run"
        return f"{who}, and others at most {number(100 * others)} %"
    if claim.within is not None:
        unit = "".join(on_scale(claim, claim.margins[0]).partition(" ")[1:])
        unit = unit or ("×" if claim.effect == "ratio" else "")
        return f"within {interval(claim, Interval(*claim.margins))}{unit}"
    return f"{claim.asked.replace('_', ' ')} {on_scale(claim, claim.margins[0]).lstrip('+')}"


def finding(verdict: Verdict) -> str:
    """Return a verdict's effect and what was claimed of it, in a sentence without its end."""
    claim = verdict.claim
    found = effect(verdict)
    return f"{capital(claim.statistic.word)}: {found}; asked {asked(claim)}"


def measured(claim: Claim) -> str:
    """Return what a claim is about: the effect, the metric, and the epoch of one that has epochs.

    Examples
    --------
    >>> measured(Claim("a", "b", "epochs_to_fit", a={"seed": 1}, b={"seed": 2}, above=0))
    'Difference of epochs_to_fit'
    """
    epoch = "" if claim.metric in OUTCOMES else f", at {at_in_words(claim.at)}"
    return capital(f"{claim.statistic.word} of {claim.metric}{epoch}")


def capital(sentence: str) -> str:
    """Return a sentence with a capital; what follows, such as names, stays as it is.

    Examples
    --------
    >>> capital("prediction, 2(p - y) under Adam")
    'Prediction, 2(p - y) under Adam'
    """
    return sentence[:1].upper() + sentence[1:]


def reasons(verdict: Verdict) -> list[str]:
    """Return what a verdict rests on, beside its effect and its command, a paragraph a line."""
    claim = verdict.claim
    lines = [_statistics(verdict), ""] if verdict.n else []
    notes = [part for part in (verdict.chosen, verdict.why) if part]
    if verdict.left_out:
        notes.append(f"left out: {'; '.join(verdict.left_out)}")
    lines += [f"{capital(note)}." for note in notes]
    if verdict.n:
        ids = (f"{side} {', '.join(verdict.runs[side])}" for side in verdict.runs)
        lines += ["", f"Runs by seed: {'; '.join(ids)}."]
    if claim.margin_from and not verdict.setting:
        lines += ["", f"Margin: {claim.margin_from}."]
    return lines


def _statistics(verdict: Verdict) -> str:
    claim = verdict.claim
    p = f"p {p_value(verdict.p)}"
    if verdict.family > 1:
        p += f", times {verdict.family} claims {p_value(verdict.p_adjusted)}"
    level = f"{100 * verdict.level:.4g} %"
    parts = [p]
    if claim.statistic.of_runs and not math.isnan(verdict.interval.low):
        above = claim.asked == "above"
        bound = 1 - verdict.interval.low if above else verdict.interval.high
        share = "does not" if above else "does"
        parts.append(f"{level} upper bound on the share that {share}: {number(100 * bound)} %")
    elif not math.isnan(verdict.interval.low):
        decides = f"interval that decides, at {level}: {interval(claim, verdict.interval)}"
        parts.append(decides)
    if not math.isnan(verdict.unadjusted.low):
        if verdict.family > 1:
            parts.append(f"95 %, unadjusted: {interval(claim, verdict.unadjusted)}")
        parts.append(f"Student's 95 %: {interval(claim, verdict.student)}")
    if claim.of_images:
        parts.append(f"on images like these, at {level}: {interval(claim, verdict.images)}")
    return "; ".join(parts) + "."


def write(path: Path, text: str) -> None:
    """Write a text file in UTF-8; what UTF-8 has no bytes for is written as an escape."""
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
