"""Names in options and claims: a built-in name from its kind's table, or the user's own object."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from study.base.errors import BadInput, nearest


@dataclass(frozen=True)
class Kind:
    """One kind of thing that a user can name, such as a figure.

    Attributes
    ----------
    word
        What such a thing is called in messages.
    table
        The built-in names, each with its import path ``package.module:object``. Nothing is
        imported before a name is resolved.

    Examples
    --------
    >>> Kind("number", {"pi": "math:pi", "e": "math:e"}).resolve("pi", "--number")
    3.141592653589793
    >>> Kind("number", {"pi": "math:pi"}).resolve("math:tau", "--number")
    6.283185307179586
    """

    word: str
    table: Mapping[str, str]

    def names(self) -> list[str]:
        """Return the built-in names in their order."""
        return list(self.table)

    def check(self, name: object, key: str) -> None:
        """Refuse a name that can stand for nothing; imports nothing.

        Parameters
        ----------
        name
            What the user gave.
        key
            The option or the key that the name was given for.

        Raises
        ------
        BadInput
            Neither a built-in name nor of the form ``package.module:object``.
        """
        if isinstance(name, str) and (name in self.table or is_outside(name)):
            return
        own = f"the package.module:object of your own {self.word}"
        expected = f"one of {', '.join(self.table)}, or {own}" if self.table else own
        found = name if isinstance(name, str) else type(name).__name__
        raise BadInput(key, expected, found, nearest(found, self.table))

    def resolve(self, name: str, key: str) -> Any:
        """Import and return what a name stands for.

        Raises
        ------
        BadInput
            A name that `check` refuses, or an import path that leads nowhere.
        """
        self.check(name, key)
        module, _, path = self.table.get(name, name).partition(":")
        try:
            found: Any = importlib.import_module(module)
            for part in path.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise BadInput(key, f"an importable {self.word}", name, str(error)) from None
        return found


def is_outside(name: str) -> bool:
    """Tell whether a name has the form ``package.module:object``.

    Examples
    --------
    >>> is_outside("my.module:figure"), is_outside("memorization"), is_outside("a:b:c")
    (True, False, False)
    """
    module, colon, path = name.partition(":")
    parts = [*module.split("."), *path.split(".")]
    return bool(colon) and all(part.isidentifier() for part in parts)
