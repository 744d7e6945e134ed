"""Claims as data: a sentence, the contrast that would show it, and what would count as showing."""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from reports.effects import EFFECT, Effect
from study.base.errors import BadInput, unknown_key
from study.runs import yaml_text

SHIPPED = Path(__file__).with_name("claims.yaml")
ASKED = ("above", "below", "within", "other_than")
EPOCHS = ("first", "last", "best", "fit", "largest", "smallest")
LONGEST = 1_000  # of a text in characters, and of a list in values


def _is_epoch(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


@dataclass(frozen=True)
class Claim:
    """A claim, as claims.yaml states it.

    Attributes
    ----------
    id, sentence, source
        Its name, what was claimed, and where.
    metric, at
        A column of ``history``, or the ``package.module:function`` of your own that computes one
        from ``history``, and the epoch to take it at (see `reports.read.Records.values`); or an
        outcome in ``runs``, which has no epoch.
    a, b
        Facts that choose the runs of each side, dotted key to value; runs are paired by seed and
        by every other fact.
    where
        Facts that both sides share.
    against
        In place of ``b``: a number, or the same runs' own value at another epoch.
    effect
        ``difference`` a - b; ``ratio`` a / b; ``share`` of runs whose metric is at least
        ``against``; or the ``package.module:object`` of an `reports.effects.Effect` of your own.
    above, below, within, other_than
        Exactly one of them: where the mean effect was claimed to lie. Margins are written as the
        effect is, a ratio's as ratios: ``below: 0.01`` is below 1 %.
    config
        The config whose runs would show it.

    Raises
    ------
    BadInput
        A value out of its range; an effect that is unknown or cannot be imported.

    Examples
    --------
    >>> claim = Claim("c", "It shrinks.", "test_accuracy", against=1, effect="ratio", below=0.01)
    >>> claim.asked, round(claim.margins[0], 3)
    ('below', -4.605)
    """

    id: str
    sentence: str
    metric: str
    source: str = ""
    at: str | int = "last"
    a: Mapping[str, Any] = field(default_factory=dict)
    b: Mapping[str, Any] | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    against: str | float | None = None
    effect: str = "difference"
    above: float | None = None
    below: float | None = None
    within: Sequence[float] | None = None
    other_than: float | None = None
    config: str | None = None

    def __post_init__(self) -> None:
        for name, (expected, valid) in _FIELDS.items():
            if not valid(getattr(self, name)):
                raise BadInput(name, expected, _shown(getattr(self, name)))
        if (self.b is None) == (self.against is None):
            both = "neither" if self.b is None else "both"
            raise BadInput("against", "either b or against", both)
        given = [name for name in ASKED if getattr(self, name) is not None]
        if len(given) != 1:
            raise BadInput("above", f"one of {', '.join(ASKED)}", ", ".join(given) or "none")
        self._check_margins()

    def _check_margins(self) -> None:
        effect = self.statistic
        for margin in self._as_written:
            if not effect.least < margin <= effect.most:
                expected = f"a margin of a {effect.word}, above {effect.least:g}"
                upper = f" and at most {effect.most:g}" if math.isfinite(effect.most) else ""
                raise BadInput(self.asked, expected + upper, margin)
        if effect.of_runs and self.asked not in ("above", "below"):
            raise BadInput(self.asked, f"above or below, for a {effect.word}")
        if effect.of_runs and not _is_number(self.against):
            raise BadInput("against", f"a number, for a {effect.word}", self.against)

    @property
    def asked(self) -> str:
        """Which of `ASKED` the claim gives."""
        return next(name for name in ASKED if getattr(self, name) is not None)

    @property
    def _as_written(self) -> tuple[float, ...]:
        value = getattr(self, self.asked)
        return tuple(value) if self.asked == "within" else (value,)

    @cached_property
    def statistic(self) -> Effect:
        """The effect that ``effect`` names."""
        return EFFECT.resolve_as(self.effect, "effect", Effect)

    @cached_property
    def margins(self) -> tuple[float, ...]:
        """The margin, or the two of ``within``, on the scale on which effects are tested."""
        return tuple(self.statistic.tested(margin) for margin in self._as_written)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST and value.isprintable()


def _is_number(value: object) -> bool:
    # A whole number of thousands of digits is no float: it is refused before it is converted.
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    return whole or (isinstance(value, float) and math.isfinite(value))


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool) or _is_text(value) or _is_number(value)


def _are_facts(value: object) -> bool:
    """Tell whether a value maps texts to plain values or lists of them; looks no deeper."""
    if not isinstance(value, Mapping) or not all(map(_is_text, value)):
        return False
    return all(
        _is_plain(each) or (isinstance(each, list) and len(each) <= LONGEST and _all_plain(each))
        for each in value.values()
    )


def _all_plain(values: Sequence[object]) -> bool:
    return all(map(_is_plain, values))


def _is_id(value: object) -> bool:
    return (
        isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}", value, re.A) is not None
    )


def _are_bounds(value: object) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(map(_is_number, value)):
        return False
    return bool(value[0] < value[1])


def _or_none(valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or valid(value)


_FACTS = "a mapping of facts to values or lists of values"
_FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "id": ("a name of letters, digits, '.', '_' and '-'", _is_id),
    "sentence": (
        "a sentence in one line of printable characters",
        lambda value: _is_text(value) and value != "",
    ),
    "metric": ("the name of a metric", _is_text),
    "source": ("a text in one line of printable characters", _is_text),
    "at": (f"one of {', '.join(EPOCHS)}, or an epoch", lambda v: v in EPOCHS or _is_epoch(v)),
    "a": (_FACTS, _are_facts),
    "b": (_FACTS, _or_none(_are_facts)),
    "where": (_FACTS, _are_facts),
    "against": (
        f"one of {', '.join(EPOCHS)}, or a number",
        lambda value: value is None or value in EPOCHS or _is_number(value),
    ),
    **dict.fromkeys(("above", "below", "other_than"), ("a number", _or_none(_is_number))),
    "within": ("a lower and a higher bound", _or_none(_are_bounds)),
    "config": ("the path of a config", _or_none(_is_text)),
}


_TOO_MUCH = {dict: "a mapping", list: "a list", int: "a whole number of over 64 bits"}


def _shown(value: object) -> object:
    """Return what a message shows of a value: of one that can be endless only what it is."""
    if isinstance(value, (str, float)) or _is_plain(value):
        return value
    return _TOO_MUCH.get(type(value), type(value).__name__)


def load_claims(paths: Sequence[Path] = (SHIPPED,)) -> list[Claim]:
    """Read claims.

    Raises
    ------
    BadInput
        A file that is not a list of claims, an unknown key, a value out of its range, an id twice.
    """
    claims = [claim for path in paths for claim in _claims_in(path)]
    for claim_id, number in Counter(claim.id for claim in claims).items():
        if number > 1:
            raise BadInput(f"claim {claim_id}", "an id of its own", f"{number} claims")
    return claims


def _claims_in(path: Path) -> list[Claim]:
    try:
        entries = yaml_text.load(path.read_text(encoding="utf-8"))
    except Exception as error:  # of what a text can do to a YAML reader there is no list
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise BadInput(str(path), "a file of claims", hint=reason) from None
    if not isinstance(entries, list):
        raise BadInput(str(path), "a list of claims", type(entries).__name__)
    claims = []
    for number, entry in enumerate(entries, start=1):
        try:
            claims.append(_claim(entry))
        except BadInput as fault:
            name = entry.get("id") if isinstance(entry, dict) else None
            where = f"claim {name if _is_id(name) else number}"
            raise fault.under(where).in_file(str(path)) from None
    return claims


def _claim(entry: Any) -> Claim:
    if not isinstance(entry, dict):
        raise BadInput("entry", "a mapping of keys to values", type(entry).__name__)
    known = [each.name for each in dataclasses.fields(Claim)]
    for key in entry:
        if key not in known:
            raise unknown_key(str(_shown(key)), known)
    for name in ("id", "sentence", "metric"):
        if name not in entry:
            raise BadInput(name, "a value", "none")
    # A block of text in YAML ends with a line break.
    values: dict[str, Any] = {k: v.strip() if isinstance(v, str) else v for k, v in entry.items()}
    return Claim(**values)
