"""A run: one network trained once, and every fact that decides its result."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any, Self

from pydantic import model_validator

from study.base.errors import BadInput
from study.base.names import SCHEDULE, Kind
from study.runs.declaring import NO_FACT, Absent, Count, Settings, Whole, expected, nested
from study.runs.settings import ADAM, AdamSettings, Data, Model, Optimizer, Stop, Trainer

Facts = dict[str, Any]
OF_PROGRAM = ("dataset", "train_examples", "validation_examples", "batch_size")  # of data


class RunSettings(Settings):
    """What a run and a study both have: the settings of a training but for its seed."""

    data: Data = Data()
    model: Model = Model()
    stop: Stop = Stop()
    trainer: Trainer = Trainer()
    optimizer: Optimizer = Optimizer()
    evaluate_every: Count = 1
    """Epochs between exact evaluations; the last epoch is always evaluated."""


class Run(RunSettings):
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

    @model_validator(mode="after")
    def _settings_go_together(self) -> Self:
        if self.trainer.precision == "bf16-mixed" and self.model.gradients == "derived":
            wanted = "32-true or 64-true with model.gradients: derived"
            hint = "set model.gradients: autograd"
            raise BadInput("trainer.precision", wanted, self.trainer.precision, hint)
        if self.model.dropout and not self.model.hidden:
            hint = "model.input_dropout drops inputs"
            raise BadInput("model.dropout", "0 without hidden layers", self.model.dropout, hint)
        return self

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Make the run with these settings by dotted key; those left out keep their defaults."""
        return cls(**nested(values))

    @classmethod
    def of_record(cls, facts: Mapping[str, Any]) -> Self:
        """Make a recorded run: facts younger than its record have their `Absent` values."""
        return cls.of({**cls.absent(facts.get("optimizer.class_path", ADAM)), **facts})

    @classmethod
    @cache
    def absent(cls, optimizer: str) -> Facts:
        """Return the facts that are younger than some records, with the values that those have."""
        return {
            key: mark.value
            for key, field in cls.declared().items()
            for mark in field.metadata
            if isinstance(mark, Absent)
            and (optimizer == ADAM or key.removeprefix("optimizer.") not in AdamSettings.declared())
        }

    @classmethod
    @cache
    def no_facts(cls) -> set[str]:
        """Return the dotted keys of settings that are no facts."""
        return {key for key, field in cls.declared().items() if NO_FACT in field.metadata}

    def facts(self) -> Facts:
        """Return every fact under its dotted key, lists as lists."""
        left_out, values = self.no_facts(), {"seed": self.seed, **self.values()}
        return {key: values[key] for key in values if key not in left_out}

    def with_settings(self, values: Mapping[str, Any]) -> Self:
        """Return the run with some other settings by dotted key; all else stays, facts or not."""
        return self.of({**self.values(), **values})

    def with_seed(self, seed: int) -> Self:
        """Return the run that differs in its seed alone.

        Examples
        --------
        >>> Run(evaluate_every=5).with_seed(3) == Run(seed=3, evaluate_every=5)
        True
        """
        if type(seed) is not int or not 0 <= seed < 2**63:
            raise BadInput("seed", expected(type(self).model_fields["seed"]), seed)
        # The 100,000 runs of a study share all else; what follows from it is found once.
        _ = self._around_seed, self.program
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
        before, after = self._around_seed
        return hashlib.sha256(f"{before}{self.seed}{after}".encode()).hexdigest()[:12]

    @cached_property
    def _around_seed(self) -> tuple[str, str]:
        """The facts as JSON, sorted by key: what stands before the seed and after it."""
        facts, absent = self.facts(), self.absent(self.optimizer.class_path)
        kept = {key: facts[key] for key in facts if key not in absent or facts[key] != absent[key]}
        text = json.dumps({**kept, "seed": 0}, sort_keys=True, separators=(",", ":"))
        # The last one: an argument of an optimizer may be called seed, too.
        before, _, after = text.rpartition('"seed":0')
        return f'{before}"seed":', after

    @cached_property
    def program(self) -> tuple[str, ...]:
        """What runs must share to be trained in one stack."""
        keys = [f"data.{name}" for name in OF_PROGRAM]
        keys += [f"model.{n}" for n in type(self.model).model_fields if n != "init_scale"]
        keys += ["trainer.precision", "optimizer.class_path", "optimizer.fused"]
        facts = self.facts()
        return tuple(f"{key}={facts.get(key)}" for key in keys)

    def outside(self) -> dict[str, tuple[Kind, str]]:
        """Return the names of the user's own objects by dotted key, with what they are."""
        named = [(k, kind) for k, f in self.declared().items() for kind in f.metadata]
        kinds = {key: kind for key, kind in named if isinstance(kind, Kind)}
        facts = self.facts()
        if self.optimizer.schedule is not None:
            key = "optimizer.schedule.class_path"
            kinds[key], facts[key] = SCHEDULE, self.optimizer.schedule.class_path
        return {k: (kinds[k], facts[k]) for k in kinds if kinds[k].is_outside(facts[k])}

    def untrusted(self) -> set[str]:
        """Return the names whose import runs code that neither this package nor torch has."""
        named = {name for kind, name in self.outside().values() if kind.needs_trust(name)}
        classes = (*self.trainer.callbacks, *self.trainer.logger)
        return named | {each["class_path"] for each in classes}

    @property
    def widths(self) -> tuple[int, ...]:
        """Sizes of all layers, from features to classes."""
        source = self.data.source
        return (source.features, *self.model.hidden, source.classes)

    @property
    def parameters(self) -> int:
        """How many numbers the network learns."""
        return sum((n + 1) * m for n, m in itertools.pairwise(self.widths))


def fact_keys() -> list[str]:
    """Return the dotted keys of a default run's facts."""
    return list(Run().facts())
