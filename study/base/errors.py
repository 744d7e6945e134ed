"""Bad input becomes one line: key, what was expected, what was found, the nearest right name."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Iterable
from typing import Any

Valid = Callable[[Any], bool]


class BadInput(ValueError):
    """What a user gave is not what was expected; commands print it and exit with status 2.

    Parameters
    ----------
    key
        Dotted key or path the fault is in, e.g. ``data.label_noise``.
    expected
        What would have been right, in words.
    found
        What was there instead; left out of the message when omitted.
    hint
        What to do about it, e.g. the nearest right name.

    Examples
    --------
    >>> print(BadInput("seeds", "a number of at least 1", 0))
    seeds: expected a number of at least 1, found 0
    """

    def __init__(self, key: str, expected: str, found: object = ..., hint: str = "") -> None:
        message = f"{key}: expected {expected}"
        if found is not ...:
            message += f", found {_short(found)}"
        if hint:
            message += f"; {hint}"
        super().__init__(" ".join(message.split()))
        self.key, self.expected, self.found, self.hint = key, expected, found, hint

    def under(self, prefix: str) -> BadInput:
        """Return the same fault with its key below ``prefix``."""
        return BadInput(f"{prefix}.{self.key}", self.expected, self.found, self.hint)

    def in_file(self, path: str) -> BadInput:
        """Return the same fault with the file it is in."""
        hint = f"{self.hint} (in {path})" if self.hint else f"in {path}"
        return BadInput(self.key, self.expected, self.found, hint)


class NotPermitted(BadInput):
    """A file or folder that this user may not read: what it holds is not known."""


def _short(found: object, limit: int = 120) -> str:
    text = {"None": "null", "True": "true", "False": "false"}.get(repr(found), repr(found))
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def nearest(name: object, names: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the most similar of ``names``, or nothing."""
    close = difflib.get_close_matches(str(name), list(names), n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else ""


def unknown_key(key: str, names: Iterable[str]) -> BadInput:
    """Build the fault of a key that nothing reads; of dotted names, its own subject's are shown."""
    names = list(names)
    hint = nearest(key, names) or nearest(key.rpartition(".")[2], names)
    subject = key.partition(".")[0]
    shown = [name for name in names if name.startswith(f"{subject}.")] or names
    return BadInput(key, f"one of {', '.join(shown)}", hint=hint or "remove it")


def setting(default: Any, expected: str, valid: Valid, *, fact: bool = True) -> Any:
    """Declare a checked dataclass field; one that is no ``fact`` does not decide a run's result."""
    metadata = {"expected": expected, "valid": valid, "fact": fact}
    if isinstance(default, (dict, list)):
        return dataclasses.field(
            default_factory=lambda: type(default)(default), metadata=metadata, compare=fact
        )
    return dataclasses.field(default=default, metadata=metadata, compare=fact)


def choice(default: str, *names: str, fact: bool = True) -> Any:
    """Declare a field that takes one of a few names."""
    return setting(default, f"one of {', '.join(names)}", lambda value: value in names, fact=fact)


def check_fields(instance: Any) -> None:
    """Raise `BadInput` for the first field of a dataclass whose value its declaration refuses.

    Whole numbers given for real ones become real, so that 1 and 1.0 are the same fact.
    """
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        if is_whole(value) and "float" in str(field.type).split("[")[0]:
            object.__setattr__(instance, field.name, float(value))
        valid: Valid | None = field.metadata.get("valid")
        if valid is not None and not valid(value):
            expected = field.metadata["expected"]
            hint = (
                nearest(value, expected.removeprefix("one of ").split(", "))
                if (isinstance(value, str) and expected.startswith("one of "))
                else ""
            )
            raise BadInput(field.name, expected, value, hint)


def is_whole(value: object, least: int = 0) -> bool:
    """Tell whether ``value`` is an ``int`` (no ``bool``) of at least ``least``, in 64 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**63


def is_number(value: object, least: float = 0.0, most: float = math.inf) -> bool:
    """Tell whether ``value`` is a finite number in [``least``, ``most``]."""
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and least <= value <= most
    )


def is_positive(value: object) -> bool:
    """Tell whether ``value`` is a finite number above zero."""
    return is_number(value) and value != 0


def is_path(value: object) -> bool:
    """Tell whether ``value`` can name a file or folder."""
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def is_import_path(value: object) -> bool:
    """Tell whether ``value`` can name a class in a module, e.g. ``torch.optim.SGD``."""
    return isinstance(value, str) and "." in value and all(map(str.isidentifier, value.split(".")))
