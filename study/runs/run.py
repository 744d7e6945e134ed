"""A run: one network trained once, and every fact that decides its result."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from study.base.errors import BadInput, check_fields, is_whole, setting, unknown_key
from study.data.sources import SOURCES
from study.runs.optimizer import Optimizer
from study.runs.settings import Data, Model, Stop, Trainer, make_settings

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


@dataclass(frozen=True)
class Run:
    """One network trained once.

    Attributes
    ----------
    seed : int
        Decides initial weights, label noise, order of examples, subset and random inputs.
    data, model, optimizer, stop, trainer
        The facts, by subject.
    evaluate_every : int
        Epochs between exact evaluations; the last epoch is always evaluated.

    Examples
    --------
    >>> run = Run(seed=1, data=Data(label_noise=0.5))
    >>> run.facts()["data.label_noise"], len(run.id)
    (0.5, 12)
    >>> run.id == Run(seed=1, data=Data(label_noise=0.5, root="elsewhere")).id
    True
    """

    seed: int = setting(0, "a whole number of at least 0", is_whole)
    data: Data = Data()
    model: Model = Model()
    optimizer: Optimizer = Optimizer()
    stop: Stop = Stop()
    trainer: Trainer = Trainer()
    evaluate_every: int = setting(1, "a whole number of at least 1", lambda v: is_whole(v, 1))

    def __post_init__(self) -> None:
        check_fields(self)
        if self.trainer.precision == "bf16-mixed" and self.model.gradients == "derived":
            raise BadInput(
                "trainer.precision",
                "32-true or 64-true with model.gradients: derived",
                self.trainer.precision,
                "set model.gradients: autograd",
            )

    def facts(self) -> Facts:
        """Return every fact under its dotted key, lists as lists."""
        facts: Facts = {"seed": self.seed}
        for subject in ("data", "model", "stop", "trainer"):
            settings = getattr(self, subject)
            for field in dataclasses.fields(settings):
                if field.metadata["fact"]:
                    value = getattr(settings, field.name)
                    facts[f"{subject}.{field.name}"] = (
                        list(value) if isinstance(value, tuple) else value
                    )
        facts["optimizer.class_path"] = self.optimizer.class_path
        for name, value in sorted(self.optimizer.init_args.items()):
            facts[f"optimizer.{name}"] = list(value) if isinstance(value, tuple) else value
        facts["evaluate_every"] = self.evaluate_every
        return facts

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Run:
        """Make the run that has these facts; keys left out keep their defaults.

        Raises
        ------
        BadInput
            An unknown key, or a value out of its range.
        """
        subjects: dict[str, dict[str, Any]] = {
            name: {} for name in ("data", "model", "optimizer", "stop", "trainer")
        }
        own: dict[str, Any] = {}
        for key, value in facts.items():
            subject, dot, name = key.partition(".")
            if dot and subject in subjects:
                subjects[subject][name] = value
            elif key in ("seed", "evaluate_every"):
                own[key] = value
            else:
                raise unknown_key(key, fact_keys())
        parts = {}
        for name, make in (("data", Data), ("model", Model), ("stop", Stop), ("trainer", Trainer)):
            parts[name] = make_settings(name, make, subjects[name])
        try:
            parts["optimizer"] = Optimizer.of(subjects["optimizer"])
        except BadInput as fault:
            raise fault.under("optimizer") from None
        return cls(**own, **parts)

    def with_seed(self, seed: int) -> Run:
        """Return the run that differs in its seed alone.

        Examples
        --------
        >>> Run(evaluate_every=5).with_seed(3) == Run(seed=3, evaluate_every=5)
        True
        """
        run = dataclasses.replace(self, seed=seed)
        # Of 100,000 runs of a study these are the same few; to make them anew takes seconds.
        run.__dict__["_common"] = self._common
        return run

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
            *(f"model.{field.name}" for field in dataclasses.fields(Model)),
            "trainer.precision",
            "optimizer.class_path",
            "optimizer.fused",
        ]
        before, after = (
            json.dumps({k: facts[k] for k in keys}, sort_keys=True, separators=(",", ":"))
            for keys in ([k for k in facts if k < "seed"], [k for k in facts if k > "seed"])
        )
        return _Common(
            text=(f'{before[:-1]},"seed":', f",{after[1:]}"),
            program=tuple(f"{key}={facts.get(key)}" for key in shared),
        )

    @property
    def widths(self) -> tuple[int, ...]:
        """Sizes of all layers, from features to classes."""
        source = SOURCES[self.data.dataset]
        return (source.features, *self.model.hidden, source.classes)

    @property
    def parameters(self) -> int:
        """How many numbers the network learns."""
        widths = self.widths
        return sum((n + 1) * m for n, m in itertools.pairwise(widths))


def fact_keys() -> list[str]:
    """Return the dotted keys of a default run."""
    return list(Run().facts())
