"""A study: a base run, what varies, and seeds; expanded to runs and grouped by program."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from study.base.errors import (
    BadInput,
    check_fields,
    choice,
    is_path,
    is_whole,
    nearest,
    setting,
    unknown_key,
)
from study.runs.run import Facts, Run, fact_keys
from study.runs.settings import Wandb

MOST_RUNS = 100_000


def _seeds(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(is_whole(seed) for seed in value)
    return is_whole(value, 1)


@dataclass(frozen=True)
class Study:
    """All the runs that together answer a question.

    Attributes
    ----------
    name : str
        Names the study, and its folder below results/.
    seeds : int or list of int
        How many seeds, counted from 0, or which.
    vary : dict
        Dotted key to list of values; the product of all lists, times the seeds, are the runs.
    base : Run
        The facts all runs share.
    evaluate_every : int
        Epochs between exact evaluations; kept in each run.
    stack : int or 'auto'
        Largest number of runs trained at once.
    checkpoint_every : int
        Epochs between saved states: at most so many are done again after a kill.
    keep_weights : bool
        Keep the weights of finished runs.
    products : {'auto', 'blas', 'onednn'}
        What computes large matrix products on a CPU; auto measures at the start. Bits depend on
        it, so a study's folder keeps what was chosen.
    out : str or None
        Folder for the records; None is results/<name>.
    wandb : Wandb
        Where its runs appear in Weights & Biases.

    Examples
    --------
    >>> study = Study(seeds=2, vary={"data.label_noise": [0, 1]})
    >>> len(study.runs), [run.data.label_noise for run in study.runs]
    (4, [0.0, 1.0, 0.0, 1.0])
    """

    name: str = setting(
        "study",
        "letters, digits, '.', '_' and '-', starting with a letter or digit",
        lambda v: isinstance(v, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", v) is not None,
    )
    seeds: int | list[int] = setting(
        1, "a number of at least 1, or a list of whole numbers of at least 0", _seeds
    )
    vary: Mapping[str, list[Any]] = setting(
        {},
        "a mapping of dotted keys to lists of values",
        lambda v: isinstance(v, Mapping) and all(isinstance(key, str) for key in v),
    )
    base: Run = Run()
    stack: int | str = setting(
        "auto", "a number of at least 1, or auto", lambda v: v == "auto" or is_whole(v, 1)
    )
    checkpoint_every: int = setting(10, "a whole number of at least 1", lambda v: is_whole(v, 1))
    keep_weights: bool = setting(True, "true or false", lambda v: isinstance(v, bool))
    products: str = choice("auto", "auto", "blas", "onednn")
    out: str | None = setting(None, "a folder", lambda v: v is None or is_path(v))
    wandb: Wandb = Wandb()

    def __post_init__(self) -> None:
        check_fields(self)
        seeds = range(self.seeds) if isinstance(self.seeds, int) else self.seeds
        for key, values in self.vary.items():
            self._check_varied(key, values)
        number = len(seeds) * math.prod(map(len, self.vary.values()))
        if number > MOST_RUNS:
            raise BadInput("seeds", f"at most {MOST_RUNS} runs in a study", number)
        if len(set(seeds)) != len(seeds):
            raise BadInput("seeds", "each seed once", self.seeds)
        _ = self.runs

    def _check_varied(self, key: str, values: object) -> None:
        name, known = f"vary.{key}", [key for key in fact_keys() if key != "seed"]
        if key in ("seed", "seeds"):
            raise BadInput(name, "a fact other than the seed", hint="give seeds under seeds:")
        if key == "optimizer.init_args":
            raise BadInput(name, "the optimizer's arguments one by one", hint="e.g. optimizer.lr")
        if key not in known and not key.startswith("optimizer."):
            raise _unknown_fact(key, known).under("vary")
        if not isinstance(values, (list, tuple)) or not values:
            raise BadInput(name, "a list of at least one value", values)
        if any(value in values[:index] for index, value in enumerate(values)):
            raise BadInput(name, "each value once", values)
        # study.Adam's arguments are all written out, and no other class takes every one.
        own = self.base.optimizer.class_path == "study.Adam"
        if key == "optimizer.class_path" and own and list(values) != ["study.Adam"]:
            raise BadInput(
                name,
                "classes that take the arguments of optimizer.class_path, which is study.Adam",
                values,
                "set optimizer.class_path to one of torch's, with arguments that all take",
            )

    @cached_property
    def conditions(self) -> list[Facts]:
        """The varied facts of each arm of the study, in the order of the config."""
        product = itertools.product(*self.vary.values())
        return [dict(zip(self.vary, values, strict=True)) for values in product]

    @cached_property
    def runs(self) -> list[Run]:
        """All runs, seed by seed.

        Raises
        ------
        BadInput
            A varied value out of its range.
        """
        numbers = list(range(self.seeds)) if isinstance(self.seeds, int) else list(self.seeds)
        base = self.base.facts()
        # Facts leave out where the data lies and how Lightning is run: put them back.
        extra = {
            "data.root": self.base.data.root,
            "trainer.accelerator": self.base.trainer.accelerator,
            "trainer.callbacks": self.base.trainer.callbacks,
            "trainer.logger": self.base.trainer.logger,
        }
        arms = []
        for condition in self.conditions:
            try:
                arms.append(Run.of({**base, **extra, "seed": numbers[0], **condition}))
            except BadInput as fault:
                raise fault.under("vary") if fault.key in self.vary else fault from None
        # A seed decides nothing about what is right for the other facts: they are checked once.
        return [arm.with_seed(seed) for seed in numbers for arm in arms]

    def condition(self, run: Run) -> Facts:
        """Return the varied facts of one run."""
        facts = run.facts()
        return {key: facts[key] for key in self.vary}


def _unknown_fact(key: str, known: list[str]) -> BadInput:
    if any(name.startswith(f"{key.partition('.')[0]}.") for name in known):
        return unknown_key(key, known)
    hint = nearest(key, known) or "see --help"
    return BadInput(key, "a run's dotted key, e.g. data.label_noise", hint=hint)


def by_program(runs: Sequence[Run]) -> list[list[Run]]:
    """Group runs that can share a stack, in the order they first appear."""
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(run.program, []).append(run)
    return list(groups.values())
