"""How a setting is declared: once, and all that is said, checked and offered follows from it.

A setting is a field of a `Settings`: its name, type, range and default, and below it one sentence
of documentation. `Says` tells in words what a value has to be. A setting is a fact, which decides a
run's result and so its id, unless it is marked `NO_FACT`.

Adding a fact: mark it with `Absent`, the value that all runs before it had. Ids stay, as that value
is left out of the hash, and a record without the fact has that value.
Removing a fact: leave its field, and narrow its type to the one value that is left, e.g.
``Literal["uniform"]``. Ids stay, and a record with another value is refused.
Renaming a fact would change every id, as its name is hashed. Give code a property of the new name;
or add a fact of the new name with `Absent`, and remove the old one.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from study.base.errors import BadInput, checked_path, nearest, unknown_key
from study.base.names import Kind

NO_FACT = object()
UNIONS = (Union, UnionType)
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
Switch = Annotated[bool, Says("true or false")]
Folder = Annotated[str, AfterValidator(checked_path), Says("a folder")]


class Settings(BaseModel):
    """Settings that are checked as they are made and never change; a wrong one is `BadInput`."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
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
            return unknown_key(name, cls.model_fields)
        field, value = cls.model_fields[name], values[name]
        hint = nearest(value, choices(field)) if isinstance(value, str) else ""
        if takes_text(field) and isinstance(value, (bool, int, float)):
            hint = "put it in quotes"
        return BadInput(name, expected(field), value, hint)

    def values(self) -> dict[str, Any]:
        """Return every setting by name."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def changed(self, values: dict[str, Any]) -> Self:
        """Return the same settings but for some."""
        return type(self)(**{**self.values(), **values})


class Subject(Settings):
    """One subject's settings of a run; equal when their facts are."""

    def facts(self) -> dict[str, Any]:
        """Return the facts by name, lists as lists."""
        fields = type(self).model_fields
        names = [name for name in fields if NO_FACT not in fields[name].metadata]
        return {name: plain(getattr(self, name)) for name in names}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.facts() == other.facts()

    def __hash__(self) -> int:
        return hash(repr(self.facts()))


def plain(value: Any) -> Any:
    """Return a value as JSON and YAML know it: settings as mappings, tuples as lists."""
    value = value.values() if isinstance(value, Settings) else value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def choices(field: FieldInfo) -> tuple[Any, ...]:
    """Return the names that a setting chooses from."""
    kinds = [each.names() for each in field.metadata if isinstance(each, Kind)]
    literals = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    return kinds[0] if kinds else literals


def expected(field: FieldInfo) -> str:
    """Return in words what a setting has to be."""
    kinds = [each.expected for each in field.metadata if isinstance(each, Kind)]
    literals = [f"one of {', '.join(choices(field))}"] if choices(field) else []
    return next(iter([*filter(None, [field.title]), *kinds, *literals]), MAPPING)


def takes_text(field: FieldInfo) -> bool:
    """Tell whether a setting is text, which an option gives as it stands."""
    parts = get_args(field.annotation) if get_origin(field.annotation) in UNIONS else ()
    kinds = {get_args(part)[0] if get_origin(part) is Annotated else part for part in parts}
    return (kinds or {field.annotation}) <= {str, type(None)}
