"""How a setting is declared: once, and all that is said, checked and offered follows from it.

A setting is a field of a `Settings`: its name, type, range and default, and below it one sentence
of documentation. `Says` tells in words what a value has to be. A setting is a fact, which decides a
run's result and so its id, unless it is marked `NO_FACT`. CONTRIBUTING.md says how a fact is added,
removed and renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from study.base.errors import BadInput, checked_path, nearest, unknown_key
from study.base.names import Kind

NO_FACT = object()
ABOVE_0, MAPPING = "a number above 0", "a mapping of keys to values"


@dataclass(frozen=True)
class Absent:
    """Marks a fact with its value in records that are older than the fact."""

    value: Any


def Says(words: str) -> Any:  # noqa: N802 (reads as a mark, beside NO_FACT and Absent)
    """Mark a setting with what its value has to be."""
    return Field(title=words)


Whole = Annotated[int, Field(ge=0, lt=2**63), Says("a whole number of at least 0")]
Count = Annotated[int, Field(ge=1, lt=2**63), Says("a whole number of at least 1")]
Positive = Annotated[float, Field(gt=0), Says(ABOVE_0)]
Share = Annotated[float, Field(ge=0, le=1), Says("a probability in [0, 1]")]
Beta = Annotated[float, Field(ge=0, lt=1)]
Switch = Annotated[bool, Says("true or false")]
Folder = Annotated[str, AfterValidator(checked_path), Says("a folder")]


class Settings(BaseModel):
    """Settings that are checked as they are made and never change; a wrong one is `BadInput`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise self._fault(error, values) from None

    @classmethod
    def _fault(cls, error: ValidationError, values: dict[str, Any]) -> BadInput:
        first = error.errors(include_url=False, include_input=False)[0]
        inner = first.get("ctx", {}).get("error")
        name = str(first["loc"][0]) if first["loc"] else ""
        if isinstance(inner, BadInput):
            return inner.under(name) if name else inner
        if name not in cls.model_fields:
            return unknown_key(name, [*cls.model_fields, *cls.declared()])
        field, key, value = cls.model_fields[name], name, values.get(name, ...)
        inside = first["loc"][1:2]
        if isinstance(value, dict) and inside and inside[0] in value:
            key, value = f"{name}.{inside[0]}", value[inside[0]]
        quoted = takes_text(field) and isinstance(value, (int, float))
        hint = "put it in quotes" if quoted else nearest(value, choices(field))
        return BadInput(key, expected(field), value, hint)

    @classmethod
    @cache
    def declared(cls) -> dict[str, FieldInfo]:
        """Return every setting with its dotted key."""
        found: dict[str, FieldInfo] = {}
        for name, field in cls.model_fields.items():
            inner = field.default.declared() if isinstance(field.default, Settings) else {}
            found |= {f"{name}.{key}": inner[key] for key in inner} or {name: field}
        return found

    def values(self) -> dict[str, Any]:
        """Return every setting's value by dotted key, lists as lists."""
        found: dict[str, Any] = {}
        for name, value in self.model_dump(mode="json").items():
            field = type(self).model_fields.get(name)
            inner = field is not None and isinstance(field.default, (Settings, dict))
            found |= {f"{name}.{key}": value[key] for key in value} if inner else {name: value}
        return found


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by dotted key as a tree; what comes later replaces what came before.

    Examples
    --------
    >>> nested({"seed": 1, "data.inputs": "gaussian", "vary.data.label_noise": [0, 1]})
    {'seed': 1, 'data': {'inputs': 'gaussian'}, 'vary': {'data.label_noise': [0, 1]}}
    """
    tree: dict[str, Any] = {}
    for key, value in values.items():
        subject, dot, name = key.partition(".")
        tree[subject] = {**dict(tree.get(subject, {})), name: value} if dot else value
    return tree


def choices(field: FieldInfo) -> tuple[Any, ...]:
    """Return the names that a setting chooses from."""
    kinds = [each.names() for each in field.metadata if isinstance(each, Kind)]
    literals = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    return kinds[0] if kinds else literals


def expected(field: FieldInfo) -> str:
    """Return in words what a setting has to be."""
    kinds = [each.expected for each in field.metadata if isinstance(each, Kind)]
    names = f"one of {', '.join(choices(field))}" if choices(field) else MAPPING
    return field.title or next(iter(kinds), names)


def takes_text(field: FieldInfo) -> bool:
    """Tell whether a setting is text, which an option gives as it stands."""
    return field.annotation in (str, str | None, Folder | None)
