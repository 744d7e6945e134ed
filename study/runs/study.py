"""A study: a base run, what varies, and seeds; expanded to runs and grouped by program."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, model_validator

from study.base.errors import BadInput, nearest, unknown_key
from study.runs.declaring import Count, Folder, Says, Settings, Switch, Whole, plain
from study.runs.optimizer import OWN, Optimizer
from study.runs.run import Facts, Run, fact_keys
from study.runs.settings import Wandb

MOST_RUNS = 100_000


class Study(Settings):
    """All the runs that together answer a question.

    Examples
    --------
    >>> study = Study(seeds=2, vary={"data.label_noise": [0, 1]})
    >>> len(study.runs), [run.data.label_noise for run in study.runs]
    (4, [0.0, 1.0, 0.0, 1.0])
    """

    name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"),
        Says("at most 128 letters, digits, '.', '_' and '-', starting with a letter or digit"),
    ] = "study"
    """Names the study, and its folder below results/."""
    seeds: Annotated[
        Count | Annotated[list[Whole], Field(min_length=1), Strict(False)],
        Says("a number of at least 1, or a list of whole numbers of at least 0"),
    ] = 1
    """How many seeds, counted from 0, or which."""
    vary: Annotated[dict[str, Any], Says("a mapping of dotted keys to lists of values")] = {}
    """Dotted key to list of values; the product of all lists, times the seeds, are the runs."""
    base: Run = Run()
    """The settings that all runs share."""
    stack: Annotated[Count | Literal["auto"], Says("a number of at least 1, or auto")] = "auto"
    """Largest number of runs trained at once."""
    checkpoint_every: Count = 10
    """Epochs between saved states: at most so many are done again after a kill."""
    keep_weights: Switch = True
    """Keep the weights of finished runs."""
    products: Literal["auto", "blas", "onednn"] = "auto"
    """What computes large matrix products on a CPU, which bits depend on; auto measures it."""
    out: Annotated[Folder | None, Says("a folder")] = None
    """Folder for the records; null is results/<name>."""
    wandb: Wandb = Wandb()
    """Where its runs appear in Weights & Biases."""

    @model_validator(mode="after")
    def _runs_can_be_made(self) -> Self:
        for key, values in self.vary.items():
            self._check_varied(key, values)
        number = len(self._seeds) * math.prod(map(len, self.vary.values()))
        if number > MOST_RUNS:
            raise BadInput("seeds", f"at most {MOST_RUNS} runs in a study", number)
        if len(set(self._seeds)) != len(self._seeds):
            raise BadInput("seeds", "each seed once", self.seeds)
        if len(set(self._of_one_seed)) != len(self._of_one_seed):
            raise BadInput("vary", "arms that differ", hint="two of them are the same run")
        return self

    @property
    def _seeds(self) -> Sequence[int]:
        return range(self.seeds) if isinstance(self.seeds, int) else self.seeds

    def _check_varied(self, key: str, values: object) -> None:
        name, known = f"vary.{key}", [*fact_keys()[1:], "optimizer"]
        if key in ("seed", "seeds"):
            raise BadInput(name, "a fact other than the seed", hint="give seeds under seeds:")
        if key == "optimizer.init_args":
            raise BadInput(name, "the optimizer's arguments one by one", hint="e.g. optimizer.lr")
        if key.startswith("optimizer.") and "optimizer" in self.vary:
            raise BadInput(name, "one of the two", hint="vary.optimizer has whole optimizers")
        if key not in known and not key.startswith("optimizer."):
            raise _unknown_fact(key, known).under("vary")
        if not isinstance(values, (list, tuple)) or not values:
            raise BadInput(name, "a list of at least one value", values)
        if len(set(map(_frozen, values))) != len(values):
            raise BadInput(name, "each value once", values)
        # study.Adam's arguments are all written out, and no other class takes every one.
        if key == "optimizer.class_path" and self.base.optimizer.is_own and list(values) != [OWN]:
            raise BadInput(
                name,
                "classes that take the arguments of optimizer.class_path, which is study.Adam",
                values,
                "vary whole optimizers: vary: {optimizer: [{class_path: ...}, ...]}",
            )

    @cached_property
    def _of_one_seed(self) -> list[Run]:
        """A run of each arm, in the order of the config."""
        first, runs = self.base.with_seed(self._seeds[0]), []
        for values in itertools.product(*self.vary.values()):
            try:
                runs.append(first.with_settings(dict(zip(self.vary, values, strict=True))))
            except BadInput as fault:
                varied = {fault.key, fault.key.partition(".")[0]} & self.vary.keys()
                raise fault.under("vary") if varied else fault from None
        return runs

    @cached_property
    def arms(self) -> list[Facts]:
        """The varied facts of each arm of the study, in the order of the config."""
        return [self.arm(run) for run in self._of_one_seed]

    @cached_property
    def runs(self) -> list[Run]:
        """All runs, seed by seed."""
        # A seed decides nothing about what is right for the other facts: they are checked once.
        return [run.seeded(seed) for seed in self._seeds for run in self._of_one_seed]

    def check_outside(self) -> None:
        """Import what runs name outside this package, and hold sizes to those of such sources.

        Raises
        ------
        BadInput
            An object that cannot be had, or more examples than its source has.
        """
        for run in {(run.program, run.data): run for run in self._of_one_seed}.values():
            for key, (kind, name) in run.outside().items():
                kind.resolve(name, key)
            try:
                run.data.check_sizes()
            except BadInput as fault:
                raise fault if fault.key.startswith("data.") else fault.under("data") from None

    @cached_property
    def varied(self) -> list[str]:
        """The dotted keys of the facts that vary."""
        return varied_keys(self.vary)

    def arm(self, run: Run) -> Facts:
        """Return the varied facts of one run."""
        facts = run.facts()
        return {key: facts[key] for key in self.varied if key in facts}


def varied_keys(vary: Mapping[str, Any]) -> list[str]:
    """Return the dotted keys of the facts that vary; of whole optimizers, those that differ.

    Of two classes only the arguments that both have are compared.

    Examples
    --------
    >>> varied_keys({"optimizer": [{"lr": 0.1}, {"class_path": "torch.optim.SGD", "lr": 0.1}]})
    ['optimizer.class_path']
    """
    keys: dict[str, None] = {}
    for key, values in vary.items():
        if key != "optimizer":
            keys[key] = None
            continue
        optimizers = [Optimizer(**plain(each)).facts() for each in values]
        for one, other in itertools.combinations(optimizers, 2):
            same_class = one["class_path"] == other["class_path"]
            shared = one.keys() | other.keys() if same_class else one.keys() & other.keys()
            keys |= {f"optimizer.{k}": None for k in sorted(shared) if one.get(k) != other.get(k)}
    return list(keys)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((key, _frozen(value[key])) for key in sorted(value, key=str))
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value


def _unknown_fact(key: str, known: list[str]) -> BadInput:
    if any(name.startswith(f"{key.partition('.')[0]}.") for name in known):
        return unknown_key(key, known)
    hint = nearest(key, known) or "see --help"
    return BadInput(key, "a run's dotted key, e.g. data.label_noise", hint=hint)


def by_program(runs: Iterable[Run]) -> list[list[Run]]:
    """Group runs that can share a stack, in the order they first appear."""
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(run.program, []).append(run)
    return list(groups.values())
