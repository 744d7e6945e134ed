"""Looks up the object that a name stands for: every kind of object has one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from study.base.errors import BadInput, nearest

T = TypeVar("T")


def named(kind: str, name: str, table: Mapping[str, T]) -> T:
    """Return the object that a name stands for.

    Parameters
    ----------
    kind
        The kind of object, e.g. ``loss``. The error message begins with it.
    name
        The name to look up.
    table
        All objects of this kind by name.

    Raises
    ------
    BadInput
        The table does not have the name. The message contains the nearest name that it has.

    Examples
    --------
    >>> named("loss", "squared_error", {"squared_error": 2})
    2
    """
    if not isinstance(name, str) or name not in table:
        raise BadInput(kind, f"one of {', '.join(table)}", name, nearest(name, table))
    return table[name]
