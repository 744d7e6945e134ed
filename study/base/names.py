"""Turns a name in a config into an object: built in, or the user's ``package.module:object``.

A kind's built-in names are the keys of one table, in the file that defines the objects. Names are
checked without importing that file: a wrong config is reported before torch is imported.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import operator
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic_core import core_schema

from study.base.errors import BadInput, nearest

T = TypeVar("T")
PACKAGE = __name__.partition(".")[0]
NAME = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,199}")  # a record's name, which is no path
OUTSIDE = re.compile(f"({NAME}):({NAME})", re.ASCII)
DOTTED = re.compile(f"({NAME})\\.([A-Za-z_]\\w*)", re.ASCII)
MADE: dict[str, Any] = {}  # objects made in this process; names begin with the kind's ``made``


@dataclass(frozen=True)
class Kind:
    """A kind of object that configs name; as ``Annotated[str, kind]`` it declares a setting.

    Attributes
    ----------
    word
        The kind's name in messages.
    module, table
        A module and a dict literal in it, from built-in names to objects or their import paths.
    dotted
        An example of an outside object, if those are spelled ``module.Object``; else empty.
    made
        Prefix of this kind's names in `MADE`; empty when `MADE` has none of this kind.
    trusted
        A pattern of torch's own objects, which are imported for whoever names them.
    """

    word: str
    module: str
    table: str
    dotted: str = ""
    made: str = ""
    trusted: str = ""

    def names(self) -> tuple[str, ...]:
        """Return the built-in names."""
        return _keys(self.module, self.table)

    @property
    def expected(self) -> str:
        """Description of right names, for errors."""
        own = f"an import path, e.g. {self.dotted}" if self.dotted else "package.module:object"
        return f"one of {', '.join(self.names())}, or {own}" if self.names() else own

    def check(self, name: str, key: str = "") -> str:
        """Return a name's canonical spelling; imports nothing. Errors name ``key``.

        Raises
        ------
        BadInput
            Neither a built-in name nor the path of an object outside this package.
        """
        if not isinstance(name, str):
            raise BadInput(key, self.expected, name)
        path = OUTSIDE.fullmatch(name) or (DOTTED.fullmatch(name) if self.dotted else None)
        if path and self.dotted and "." not in path[2]:
            name = f"{path[1]}.{path[2]}"
        if name in self.names() or (self.made and re.fullmatch(rf"{self.made}[\w.@-]+", name)):
            return name
        if not path or path[1].partition(".")[0] == PACKAGE:
            raise BadInput(key, self.expected, name, nearest(name, self.names()))
        return name

    def resolve(self, name: str, key: str) -> Any:
        """Return the object that a name stands for. Errors name ``key``.

        Raises
        ------
        BadInput
            An unknown name, or an object that cannot be imported.
        """
        name = self.check(name, key)
        if name in self.names():
            found = self._objects()[name]
            return imported(found, key, self.word) if isinstance(found, str) else found
        if self.made and name.startswith(self.made):
            if name not in MADE:
                raise BadInput(key, f"{self.word} made in this process", name, "make it again")
            return MADE[name]
        found = imported(name, key, self.word)
        for built_in, each in self._objects().items():
            if each is found:
                raise BadInput(key, "one name for one object", name, f"it is '{built_in}'")
        return found

    def _objects(self) -> Mapping[str, Any]:
        table: Mapping[str, Any] = getattr(importlib.import_module(self.module), self.table)
        return table

    def resolve_as(self, name: str, key: str, of: type[T]) -> T:
        """Return the object that a name stands for, an instance of the class ``of``.

        Raises
        ------
        BadInput
            As in `resolve`, or the object is of another class.
        """
        found = self.resolve(name, key)
        if not isinstance(found, of):
            raise BadInput(key, f"{self.word}, a {of.__module__}.{of.__qualname__}", name)
        return found

    def is_outside(self, name: str) -> bool:
        """Tell whether a name has to be imported from outside this package."""
        return name not in self.names() and name not in MADE

    def needs_trust(self, name: str) -> bool:
        """Tell whether a name would import code that neither this package nor torch.optim has."""
        here = name in self.names() or (self.made and name.startswith(self.made))
        return not (here or (self.trusted and re.fullmatch(self.trusted, name, re.ASCII)))

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        outside = {"pattern": f"^{NAME}[:.]{NAME}$" if self.dotted else f"^{NAME}:"}
        built_in = [{"enum": list(self.names())}] if self.names() else []
        return {"type": "string", "anyOf": [*built_in, outside]}


DATASET = Kind("a data set", f"{PACKAGE}.data.sources", "SOURCES", made="arrays:")
SCHEME = Kind("a label scheme", f"{PACKAGE}.data.conditions", "SCHEMES")
INPUTS = Kind("a condition of inputs", f"{PACKAGE}.data.conditions", "CONDITIONS")
NORMALIZATION = Kind("a normalization", f"{PACKAGE}.data.conditions", "NORMALIZATIONS")
ACTIVATION = Kind("an activation", f"{PACKAGE}.nn.mlp", "ACTIVATIONS")
LOSS = Kind("a loss", f"{PACKAGE}.nn.losses", "LOSSES")
BACKWARD = Kind("a backward rule", f"{PACKAGE}.nn.softmax", "BACKWARDS")
MEASURE = Kind("a measure", f"{PACKAGE}.measures", "MEASURES")
# Classes; what is made of one is an optimizer or a schedule.
TORCH = r"torch\.optim\.([a-z_]+\.)?[A-Z]\w*"
OPTIMIZER = Kind(
    "an optimizer", f"{PACKAGE}.nn.adam", "OPTIMIZERS", dotted="torch.optim.SGD", trusted=TORCH
)
SCHEDULE = Kind(
    "a schedule",
    f"{PACKAGE}.training.schedules",
    "SCHEDULES",
    dotted="torch.optim.lr_scheduler.ExponentialLR",
    trusted=TORCH,
)
MOST_LISTED = 20


def refuse_untrusted(names: Iterable[str], place: str) -> None:
    """Refuse objects that a results folder names; ``place`` says where.

    Raises
    ------
    BadInput
        There is one; the line says what ``--trust`` would import.
    """
    found = sorted(set(names))
    if found:
        more = f" and {len(found) - MOST_LISTED} more" if len(found) > MOST_LISTED else ""
        listed = ", ".join(found[:MOST_LISTED])
        expected = "objects of this package and of torch.optim alone in a results folder"
        raise BadInput(place, expected, hint=f"--trust would import {listed}{more}")


@cache
def _keys(module: str, table: str) -> tuple[str, ...]:
    """Return the keys of a dict literal in a module's file, without importing the module."""
    spec = importlib.util.find_spec(module)
    path = Path(spec.origin if spec and spec.origin else module)
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(each, ast.Name) and each.id == table for each in targets):
            keys = getattr(node.value, "keys", [])  # type: ignore[attr-defined]
            return tuple(ast.literal_eval(key) for key in keys)
    raise LookupError(f"{module} has no table {table}")


def is_path(name: str) -> bool:
    """Tell whether a name is of the form ``package.module:object``."""
    return OUTSIDE.fullmatch(name) is not None


def imported(path: str, key: str, word: str) -> Any:
    """Import the object at a path. Errors name ``key`` and call the object ``word``.

    Raises
    ------
    BadInput
        The module cannot be imported, or has no such object.
    """
    module, _, attribute = path.rpartition(":" if ":" in path else ".")
    expected = f"{word} that can be imported"
    try:
        home = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        raise BadInput(key, expected, path, str(error) or type(error).__name__) from None
    try:
        return operator.attrgetter(attribute)(home)
    except AttributeError:
        hint = nearest(attribute, vars(home)) or f"{module} has no {attribute}"
        raise BadInput(key, expected, path, hint) from None


def source_hash(path: str) -> str:
    """Return the sha256 of the file that defines an outside object's module.

    Examples
    --------
    >>> source_hash("json:dumps") == source_hash("json.loads")
    True
    """
    module = path.rpartition(":" if ":" in path else ".")[0]
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return hashlib.sha256(module.encode()).hexdigest()  # built into Python, without a file
    return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()
