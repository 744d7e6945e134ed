"""A study: its runs' settings, what varies, and seeds; expanded to runs."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, Strict, model_validator
from pydantic_core import to_jsonable_python

from study.base.errors import BadInput, checked_path, nearest
from study.base.names import MEASURE
from study.measures import DEFAULT
from study.runs.declaring import Count, Folder, Says, Switch, Whole, nested
from study.runs.run import Facts, Run, RunSettings, fact_keys
from study.runs.settings import ADAM, Optimizer, Wandb

MOST_RUNS = 100_000


class Study(RunSettings):
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
    vary: Annotated[
        dict[str, Annotated[list[Any], Field(min_length=1), Strict(False)]],
        Says("dotted keys, each with a list of at least one value"),
    ] = {}
    """Dotted key to list of values; the product of all lists, times the seeds, are the runs."""
    stack: Annotated[Count | Literal["auto"], Says("a number of at least 1, or auto")] = "auto"
    """Largest number of runs trained at once."""
    checkpoint_every: Count = 10
    """Epochs between saved states: at most so many are done again after a kill."""
    keep_weights: Switch = True
    """Keep the weights of finished runs."""
    keep_predictions: Switch = True
    """Keep the networks' answers on the test set, and on 200 examples at each evaluation."""
    measures: Annotated[
        list[Annotated[str, MEASURE]],
        Says(f"a list of measures, each {MEASURE.expected}"),
    ] = list(DEFAULT)
    """What is computed of the networks beside losses and accuracies."""
    products: Literal["auto", "blas", "onednn"] = "auto"
    """What computes large matrix products on a CPU, which bits depend on; auto measures it."""
    engine: Literal["stack", "plain"] = "stack"
    """Train many runs at once, or one by one with the plain LightningModule."""
    out: Annotated[Folder | None, Says("a folder")] = None
    """Folder for the records; null is results/<name>."""
    claims: Annotated[
        list[Annotated[str, AfterValidator(checked_path)]],
        Says("a list of ledgers' paths; shipped is this package's own"),
    ] = ["shipped"]
    """Ledgers whose claims are written down, with the date, when the folder's first run begins."""
    wandb: Wandb = Wandb()
    """Where its runs appear in Weights & Biases."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Make the study with these settings by dotted key, ``vary.KEY`` among them."""
        lists = nested(values).get("vary", {})
        # What varies has no value of its own: of the first arm it is right if anything is.
        facts = [key for key in lists if "." in key and key != "optimizer.init_args"]
        first = {k: lists[k][0] for k in facts if lists[k] and isinstance(lists[k], (list, tuple))}
        try:
            return cls(**nested({**first, **values}))
        except BadInput as fault:
            raise _named(fault, first) from None

    @model_validator(mode="after")
    def _runs_can_be_made(self) -> Self:
        for name in ("stack", "products"):
            if self.engine == "plain" and (found := getattr(self, name)) != "auto":
                raise BadInput(name, "auto, as engine: plain trains no stack", found)
        for key, values in self.vary.items():
            self._check_varied(key, values)
        number = len(self._seeds) * math.prod(map(len, self.vary.values()))
        if number > MOST_RUNS:
            raise BadInput("seeds", f"at most {MOST_RUNS} runs in a study", number)
        if len(set(self._seeds)) != len(self._seeds):
            raise BadInput("seeds", "each seed once", self.seeds)
        if len(set(self._of_one_seed)) != len(self._of_one_seed):
            arms = [{**nested(run.facts()), **run.facts()} for run in self._of_one_seed]
            for key, values in self.vary.items():
                if len({repr(arm[key]) for arm in arms}) < len(values):
                    raise BadInput(f"vary.{key}", "each value once", values)
        return self

    def _check_varied(self, key: str, values: list[Any]) -> None:
        name, known = f"vary.{key}", [*fact_keys()[1:], "optimizer"]
        argument = re.fullmatch(r"optimizer\.(?!init_args$).+", key)
        if key not in known and not argument:
            hint = nearest(key, known) or "see --help"
            raise BadInput(name, "a run's fact but the seed, e.g. data.label_noise", hint=hint)
        if argument and "optimizer" in self.vary:
            raise BadInput(name, "one of the two", hint="vary.optimizer has whole optimizers")
        # study.Adam's arguments are all written out, and no other class takes every one.
        if key == "optimizer.class_path" and self.optimizer.class_path == ADAM and values != [ADAM]:
            wanted = "classes that take the arguments of optimizer.class_path, which is study.Adam"
            hint = "vary whole optimizers: vary: {optimizer: [{class_path: ...}, ...]}"
            raise BadInput(name, wanted, values, hint)

    @property
    def _seeds(self) -> Sequence[int]:
        return range(self.seeds) if isinstance(self.seeds, int) else self.seeds

    @cached_property
    def _of_one_seed(self) -> list[Run]:
        """A run of each arm, in the order of the config."""
        try:
            first = Run(**{name: getattr(self, name) for name in RunSettings.model_fields})
            arms = itertools.product(*self.vary.values())
            return [first.with_settings(dict(zip(self.vary, arm, strict=True))) for arm in arms]
        except BadInput as fault:
            raise _named(fault, self.vary) from None

    @cached_property
    def arms(self) -> list[Facts]:
        """The varied facts of each arm of the study, in the order of the config."""
        return [self.arm(run) for run in self._of_one_seed]

    @cached_property
    def runs(self) -> list[Run]:
        """All runs, seed by seed."""
        # A seed decides nothing about what is right for the other facts: they are checked once.
        return [run.with_seed(seed) for seed in self._seeds for run in self._of_one_seed]

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

    def untrusted(self) -> set[str]:
        """Return the names whose import runs code that neither this package nor torch has."""
        measures = {name for name in self.measures if MEASURE.needs_trust(name)}
        return measures.union(*(run.untrusted() for run in self._of_one_seed))

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
    whole = vary.get("optimizer", [])
    optimizers = [Optimizer(**to_jsonable_python(each)).values() for each in whole]
    differ: set[str] = set()
    for one, other in itertools.combinations(optimizers, 2):
        same_class = one["class_path"] == other["class_path"]
        shared = one.keys() | other.keys() if same_class else one.keys() & other.keys()
        differ |= {f"optimizer.{key}" for key in shared if one.get(key) != other.get(key)}
    return [each for key in vary for each in (sorted(differ) if key == "optimizer" else [key])]


def _named(fault: BadInput, vary: Mapping[str, Any]) -> BadInput:
    """Return a fault of what varies with its key below vary."""
    varied = {fault.key, fault.key.partition(".")[0]} & vary.keys()
    return fault.under("vary") if varied else fault
