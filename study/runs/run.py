"""A run: one network trained once, and every fact that decides its result."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any, NamedTuple, Self

from pydantic import model_validator
from pydantic.fields import FieldInfo

from study.base.errors import BadInput, unknown_key
from study.base.names import Kind
from study.runs.declaring import Absent, Count, Settings, Subject, Whole
from study.runs.optimizer import OWN, AdamSettings, Optimizer
from study.runs.settings import Data, Model, Stop, Trainer

Facts = dict[str, Any]


class _Common(NamedTuple):
    """What runs that differ in their seed alone share.

    Attributes
    ----------
    text
        What ids are hashes of, before and after the seed: the facts as JSON, sorted by key.
    program
        See `Run.program`.
    """

    text: tuple[str, str]
    program: tuple[str, ...]


class Run(Settings):
    """One network trained once.

    Examples
    --------
    >>> run = Run(seed=1, data=Data(label_noise=0.5))
    >>> run.facts()["data.label_noise"], len(run.id)
    (0.5, 12)
    >>> run.id == Run(seed=1, data=Data(label_noise=0.5, root="elsewhere")).id
    True
    """

    seed: Whole = 0
    """Decides initial weights, label noise, order of examples, subset and random inputs."""
    data: Data = Data()
    model: Model = Model()
    stop: Stop = Stop()
    trainer: Trainer = Trainer()
    optimizer: Optimizer = Optimizer()
    evaluate_every: Count = 1
    """Epochs between exact evaluations; the last epoch is always evaluated."""

    @model_validator(mode="after")
    def _precision_of_derived_gradients(self) -> Self:
        if self.trainer.precision == "bf16-mixed" and self.model.gradients == "derived":
            wanted = "32-true or 64-true with model.gradients: derived"
            hint = "set model.gradients: autograd"
            raise BadInput("trainer.precision", wanted, self.trainer.precision, hint)
        return self

    def facts(self) -> Facts:
        """Return every fact under its dotted key, lists as lists."""
        facts: Facts = {}
        for name, value in self.values().items():
            below = value.facts() if isinstance(value, Subject) else None
            facts |= {name: value} if below is None else {f"{name}.{k}": below[k] for k in below}
        return facts

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """Make the run with these settings by dotted key; those left out keep their defaults."""
        return cls().with_settings(facts)

    @classmethod
    def of_record(cls, facts: Mapping[str, Any]) -> Self:
        """Make a recorded run: facts younger than its record have their `Absent` values."""
        own = facts.get("optimizer.class_path", OWN) == OWN
        return cls.of({**absent(cls, own=own), **facts})

    def with_settings(self, settings: Mapping[str, Any]) -> Self:
        """Return the run with some other settings by dotted key; all else stays, facts or not.

        Raises
        ------
        BadInput
            An unknown key, or a value out of its range.
        """
        changed: dict[str, Any] = {}
        below: dict[str, dict[str, Any]] = {}
        known = declared(type(self))
        for key, value in settings.items():
            subject, dot, name = key.partition(".")
            if dot and (key in known or subject == "optimizer"):
                below.setdefault(subject, {})[name] = value
            elif key in type(self).model_fields:
                changed[key] = value
            else:
                raise unknown_key(key, known)
        for subject, values in below.items():
            try:
                changed[subject] = getattr(self, subject).changed(values)
            except BadInput as fault:
                raise fault.under(subject) from None
        return self.changed(changed)

    def with_seed(self, seed: int) -> Self:
        """Return the run that differs in its seed alone.

        Examples
        --------
        >>> Run(evaluate_every=5).with_seed(3) == Run(seed=3, evaluate_every=5)
        True
        """
        Run(seed=seed)  # refuses what is no seed
        return self.seeded(seed)

    def seeded(self, seed: int) -> Self:
        """Return what `with_seed` does, of a seed that is known to be right."""
        # Of 100,000 runs of a study the rest is the same few; to make it anew takes seconds.
        _ = self._common
        run = self.model_copy(update={"seed": seed})
        run.__dict__.pop("id", None)
        return run

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    @cached_property
    def id(self) -> str:
        """A short hash of the facts: the same run has the same id everywhere."""
        before, after = self._common.text
        return hashlib.sha256(f"{before}{self.seed}{after}".encode()).hexdigest()[:12]

    @property
    def program(self) -> tuple[str, ...]:
        """What runs must share to be trained in one stack."""
        return self._common.program

    @cached_property
    def _common(self) -> _Common:
        facts = self.facts()
        shared = [
            *(f"data.{name}" for name in ("dataset", "train_examples", "batch_size")),
            *(f"model.{name}" for name in type(self.model).model_fields),
            "trainer.precision",
            "optimizer.class_path",
            "optimizer.fused",
        ]
        program = tuple(f"{key}={facts.get(key)}" for key in shared)
        for key, value in absent(type(self), own=self.optimizer.is_own).items():
            if facts[key] == value:
                del facts[key]
        before, after = (
            json.dumps({k: facts[k] for k in keys}, sort_keys=True, separators=(",", ":"))
            for keys in ([k for k in facts if k < "seed"], [k for k in facts if k > "seed"])
        )
        return _Common((f'{before[:-1]},"seed":', f",{after[1:]}"), program)

    def outside(self) -> dict[str, tuple[Kind, str]]:
        """Return the names of the user's own objects by dotted key, with what they are."""
        return {
            key: (kind, value)
            for key, field in declared(type(self)).items()
            for kind in field.metadata
            if isinstance(kind, Kind)
            for value in [_at(self, key)]
            if kind.is_outside(value)
        }

    @property
    def widths(self) -> tuple[int, ...]:
        """Sizes of all layers, from features to classes."""
        source = self.data.source
        return (source.features, *self.model.hidden, source.classes)

    @property
    def parameters(self) -> int:
        """How many numbers the network learns."""
        return sum((n + 1) * m for n, m in itertools.pairwise(self.widths))


def _at(run: Run, key: str) -> Any:
    subject, _, name = key.partition(".")
    return getattr(getattr(run, subject), name)


@cache
def declared(of: type[Run] = Run) -> dict[str, FieldInfo]:
    """Return every setting of a run with its dotted key, those of this package's Adam included."""
    found: dict[str, FieldInfo] = {}
    for name, field in of.model_fields.items():
        if not isinstance(field.default, Subject):
            found[name] = field
            continue
        own = AdamSettings.model_fields if name == "optimizer" else {}
        below = {**type(field.default).model_fields, **own}
        found |= {f"{name}.{key}": below[key] for key in below}
    return found


@cache
def absent(of: type[Run], *, own: bool) -> Facts:
    """Return the facts that are younger than some records, with the values that those have."""
    return {
        key: mark.value
        for key, field in declared(of).items()
        for mark in field.metadata
        if isinstance(mark, Absent) and (own or not key.startswith("optimizer."))
    }


def fact_keys() -> list[str]:
    """Return the dotted keys of a default run's facts."""
    return list(Run().facts())
