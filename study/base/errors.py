"""Bad input becomes one line: key, what was expected, what was found, the nearest right name."""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from study.base.text import plain


class BadInput(ValueError):
    """A user's input is wrong; commands print the error on one line and exit with status 2.

    Parameters
    ----------
    key
        Dotted key or path of the wrong input, e.g. ``data.label_noise``.
    expected
        Description of a right input.
    found
        The wrong input; left out of the message when omitted.
    hint
        Advice, e.g. the nearest right name.

    Examples
    --------
    >>> print(BadInput("seeds", "a number of at least 1", 0))
    seeds: expected a number of at least 1, found 0
    """

    def __init__(self, key: str, expected: str, found: object = ..., hint: str = "") -> None:
        message = f"{key}: expected {expected}"
        if found is not ...:
            message += f", found {shown(found)}"
        if hint:
            message += f"; {hint}"
        super().__init__(plain(" ".join(message.split())))
        self.key, self.expected, self.found, self.hint = key, expected, found, hint

    def under(self, prefix: str) -> BadInput:
        """Return the same fault with its key below ``prefix``, which is the key if it has none."""
        key = f"{prefix}.{self.key}" if self.key else prefix
        return BadInput(key, self.expected, self.found, self.hint)

    def in_file(self, path: str) -> BadInput:
        """Return the same fault with the file's path added."""
        hint = f"{self.hint} (in {path})" if self.hint else f"in {path}"
        return BadInput(self.key, self.expected, self.found, hint)


class NotPermitted(BadInput):
    """The user may not read a file or folder, so its content is not known."""


class LeftOut(UserWarning):
    """Something in a study's folder cannot be used and is left out; the rest is read."""

    def __init__(self, message: str) -> None:
        super().__init__(plain(message))


class CodeFailed(Exception):
    """The user's code raised an error that belongs to no run; commands exit with status 1."""


def shown(found: object, limit: int = 120) -> str:
    """Return a value as a config would have it, at most ``limit`` characters of it."""
    try:
        text = {"None": "null", "True": "true", "False": "false"}.get(repr(found), repr(found))
    except (ValueError, RecursionError):  # a number of thousands of digits, or endless nesting
        text = f"a {type(found).__name__} too large to print"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def nearest(name: object, names: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the most similar of ``names``, or nothing."""
    close = difflib.get_close_matches(str(name)[:200], list(names), n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else ""


def unknown_key(key: str, names: Iterable[str]) -> BadInput:
    """Build the fault of an unknown key; it lists the known keys with the same first word."""
    names = list(dict.fromkeys(names))
    hint = nearest(key, names) or nearest(key.rpartition(".")[2], names)
    subject = key.partition(".")[0]
    shown = [name for name in names if name.startswith(f"{subject}.")]
    shown = shown or [name for name in names if "." not in name] or names
    return BadInput(key, f"one of {', '.join(shown)}", hint=hint or "remove it")


def checked_path(text: str) -> str:
    """Return the text if it can name a file or folder; raise `BadInput` if it cannot."""
    if not text.strip() or "\0" in text or not _is_text(text):
        raise BadInput("", "a folder", text)
    return text


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, or bytes that the locale cannot show
        with contextlib.suppress(UnicodeError):
            return bool(os.fsencode(text).decode())
        return False
    return True


def named_folder(text: str, key: str) -> Path:
    """Return the folder that a setting or option names; a ``~`` is the home folder."""
    try:
        return Path(checked_path(text)).expanduser()
    except (BadInput, RuntimeError) as error:  # RuntimeError: ~name of a user who does not exist
        hint = "" if isinstance(error, BadInput) else str(error)
        raise BadInput(key, "a folder", text, hint) from None
