"""How a name becomes the object it stands for: one table a kind, and one way to look it up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from study.checks import BadInput, nearest

T = TypeVar("T")


def named(kind: str, name: str, table: Mapping[str, T]) -> T:
    """Return the object that a name stands for.

    Parameters
    ----------
    kind
        What is named, e.g. ``loss``; the error message begins with it.
    name
        The name to look up.
    table
        All objects of this kind by name.

    Raises
    ------
    BadInput
        The table does not have the name; the message says the nearest one that it has.

    Examples
    --------
    >>> named("loss", "squared_error", {"squared_error": 2})
    2
    """
    if not isinstance(name, str) or name not in table:
        raise BadInput(kind, f"one of {', '.join(table)}", name, nearest(name, table))
    return table[name]
