"""What the keys of a claim may hold; values of any size and depth are looked at in bounded time."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from study.base.errors import BadInput

ASKED = ("above", "below", "within", "other_than")
EPOCHS = ("first", "last", "best", "fit", "largest", "smallest")
LONGEST = 1_000  # of a text in characters, and of a list in values


def check_fields(claim: object) -> None:
    """Refuse a claim with a value out of its range.

    Raises
    ------
    BadInput
        The first such value.
    """
    for name, (expected, valid) in _FIELDS.items():
        if not valid(getattr(claim, name)):
            raise BadInput(name, expected, shown(getattr(claim, name)))


def is_number(value: object) -> bool:
    """Tell whether a value is a number that a float holds."""
    # A whole number of thousands of digits is no float: it is refused before it is converted.
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    return whole or (isinstance(value, float) and math.isfinite(value))


def is_id(value: object) -> bool:
    """Tell whether a value can name a claim or a family."""
    return (
        isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}", value, re.A) is not None
    )


def shown(value: object) -> object:
    """Return what a message shows of a value: of one that can be endless only what it is."""
    if isinstance(value, (str, float)) or _is_plain(value):
        return value
    return _TOO_MUCH.get(type(value), type(value).__name__)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST and value.isprintable()


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool) or _is_text(value) or is_number(value)


def _are_facts(value: object) -> bool:
    """Tell whether a value maps texts to plain values or lists of them; looks no deeper."""
    if not isinstance(value, Mapping) or not all(map(_is_text, value)):
        return False
    return all(_is_plain(each) or _is_list(each, _is_plain) for each in value.values())


def _is_list(value: object, valid: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and len(value) <= LONGEST and all(map(valid, value))


def _are_bounds(value: object) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(map(is_number, value)):
        return False
    return bool(value[0] < value[1])


def _are_levels(value: object) -> bool:
    """Tell whether a value is one fact with at least two numbers, which grow."""
    if not isinstance(value, Mapping) or len(value) != 1 or not all(map(_is_text, value)):
        return False
    levels = next(iter(value.values()))
    if not _is_list(levels, is_number) or len(levels) < 2:
        return False
    return all(low < high for low, high in itertools.pairwise(levels))


def _is_at(value: object) -> bool:
    if isinstance(value, Mapping):
        return set(value) == {"metric", "within"} and bool(
            _is_text(value["metric"]) and _are_bounds(value["within"])
        )
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return whole or _is_epoch_name(value)


def _is_epoch_name(value: object) -> bool:
    return isinstance(value, str) and value in EPOCHS


def _is_date(value: object) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.A):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _or_none(valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or valid(value)


def _is_sentence(value: object) -> bool:
    return _is_text(value) and value != ""


_TOO_MUCH = {dict: "a mapping", list: "a list", int: "a whole number of over 64 bits"}
_FACTS = "a mapping of facts to values or lists of values"
_AT = f"one of {', '.join(EPOCHS)}, an epoch, or {{metric: a metric, within: [low, high]}}"
_FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "id": ("a name of letters, digits, '.', '_' and '-'", is_id),
    "sentence": ("a sentence in one line of printable characters", _is_sentence),
    "metric": ("the name of a metric", _is_text),
    "family": ("a name of letters, digits, '.', '_' and '-'", is_id),
    "stated": ("a date, as 2026-11-28", _or_none(_is_date)),
    "margin_from": ("where the margin comes from, or ours", _is_text),
    "config": ("the path of a config", _or_none(_is_text)),
    "source": ("a text in one line of printable characters", _is_text),
    "at": (_AT, _is_at),
    "by": ("the name of a validation metric", _or_none(_is_text)),
    "less": (_AT, _or_none(_is_at)),
    "a": (_FACTS, _are_facts),
    "b": (_FACTS, _or_none(_are_facts)),
    "where": (_FACTS, _are_facts),
    "against": (
        f"one of {', '.join(EPOCHS)}, or a number",
        _or_none(lambda value: _is_epoch_name(value) or is_number(value)),
    ),
    "over": ("one fact with a list of at least two numbers, which grow", _or_none(_are_levels)),
    "best_of": ("a fact that the config varies", _or_none(_is_text)),
    "images": ("true or false", _or_none(lambda value: isinstance(value, bool))),
    **dict.fromkeys(("above", "below", "other_than"), ("a number", _or_none(is_number))),
    "within": ("a lower and a higher bound", _or_none(_are_bounds)),
}
