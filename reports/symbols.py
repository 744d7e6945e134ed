"""A claim's statistic in symbols: what is averaged over seeds, and where it was claimed to lie."""

from __future__ import annotations

from reports.claims import Claim
from reports.metrics import OUTCOMES, At
from reports.wording import asked
from study.terminal.arms import arm_label


def statistic(claim: Claim) -> str:
    """Return a claim's statistic: s is a seed, a and b are the arms, e is the epoch in brackets.

    Examples
    --------
    >>> statistic(Claim("c", "s", "test_accuracy", against=0.1, above=0))
    'mean over s of a(s)[last] − 0.1, above 0 points'
    >>> loss = "train_cross_entropy"
    >>> statistic(Claim("c", "s", loss, against="first", effect="ratio", below=0.01))
    'exp of mean over s of ln(a(s)[last] / a(s)[first]), below 0.01×'
    """
    a = _value(claim, "a", claim.at)
    b = _value(claim, "b", claim.at) if claim.b is not None else f"{claim.against}"
    if isinstance(claim.against, str):
        b = _value(claim, "a", claim.against)
    if claim.over is not None:
        key, levels = next(iter(claim.over.items()))
        shown = ", ".join(f"{level:g}" for level in levels)
        value = _value(claim, "ℓ", claim.at)
        text = f"mean over s of τ(ℓ, {value}) for ℓ = {key.rpartition('.')[2]} {shown}"
    elif claim.statistic.of_runs:
        sign = "≥" if claim.asked == "above" else "<"
        text = f"number of s with {a} {sign} {b}, of all n"
    elif claim.effect == "ratio":
        text = f"exp of mean over s of ln({a} / {b})"
    elif claim.statistic.linear:
        text = f"mean over s of {a} − {b}"
    else:
        text = f"mean {claim.statistic.word} over s of {a} and {b}"
    if claim.best_of is not None:
        name = claim.best_of.rpartition(".")[2]
        text += f", each arm at the {name} with the best mean of {claim.by}"
    return f"{text}, {asked(claim)}"


def arms(claim: Claim) -> str:
    """Return what the arms of a claim are, and what both share."""
    sides = [f"a: {arm_label(claim.a)}"] if claim.a else []
    sides += [f"b: {arm_label(claim.b)}"] if claim.b else []
    sides += [f"both: {arm_label(claim.where)}" if claim.b else arm_label(claim.where)]
    return "; ".join(side for side in sides if not side.endswith("all runs"))


def _value(claim: Claim, side: str, at: At) -> str:
    if claim.metric in OUTCOMES:
        return f"{side}(s)"
    value = f"{side}(s)[{_epoch(claim, at)}]"
    return value if claim.less is None else f"({value} − {side}(s)[{_epoch(claim, claim.less)}])"


def _epoch(claim: Claim, at: At) -> str:
    if at == "best" and claim.by is not None:
        return f"best {claim.by}"
    if isinstance(at, (str, int)):
        return str(at)
    low, high = at["within"]
    return f"last with {at['metric']} / its first in {low:g} … {high:g}"
