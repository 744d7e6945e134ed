"""Effects: what a claim computes from the two values of a pair, and averages over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reports.statistics import Values, kendall_tau
from study.base.names import Kind

EFFECT = Kind("an effect", "reports.effects", "EFFECTS")


def unchanged(value: float) -> float:
    """Return the value: an effect that is averaged on the scale that it is written on."""
    return value


@dataclass(frozen=True)
class Effect:
    """An effect; a claim can name one of your own as ``package.module:object``.

    Attributes
    ----------
    word
        What it is called in tables.
    of
        From the values of ``a`` and of ``b``, [pair] each, the effects on the scale on which they
        are averaged and tested; nan where a pair has none.
    tested
        From a margin as it is written in a claim to the scale on which effects are tested.
    written
        From the scale on which effects are tested to the one they are written on.
    least, most
        Margins, as written, lie above ``least`` and are not above ``most``.
    of_runs
        Whether each run is 0 or 1, so that a binomial test applies.
    of_levels
        Whether ``a`` has the values at each level, [seed, level], and ``b`` the levels, [level].
    linear
        Whether it is a - b, so that its mean over seeds is one over test images, too.

    Examples
    --------
    >>> RATIO.of(np.array([2.0, 1.0]), np.array([1.0, 0.0])).round(3).tolist()
    [0.693, nan]
    >>> round(RATIO.tested(0.01), 3), round(RATIO.written(-4.605), 3)
    (-4.605, 0.01)
    """

    word: str
    of: Callable[[Values, Values], Values]
    tested: Callable[[float], float] = unchanged
    written: Callable[[float], float] = unchanged
    least: float = -math.inf
    most: float = math.inf
    of_runs: bool = False
    of_levels: bool = False
    linear: bool = False


def _difference(a: Values, b: Values) -> Values:
    return a - b


def _log_ratio(a: Values, b: Values) -> Values:
    both = (a > 0) & (b > 0)
    return np.log(np.where(both, a, np.nan) / np.where(both, b, np.nan))


def _reached(a: Values, b: Values) -> Values:
    return (a >= b).astype(float)


def _taus(a: Values, b: Values) -> Values:
    return np.array([kendall_tau(b, each) for each in a])


DIFFERENCE = Effect("difference", _difference, linear=True)
RATIO = Effect("ratio", _log_ratio, math.log, math.exp, least=0.0)
SHARE = Effect("share of runs", _reached, least=0.0, most=1.0, of_runs=True)
KENDALL = Effect("Kendall's τ", _taus, least=-1.0, most=1.0, of_levels=True)

EFFECTS: dict[str, Effect] = {
    "difference": DIFFERENCE,
    "ratio": RATIO,
    "share": SHARE,
    "kendall": KENDALL,
}
