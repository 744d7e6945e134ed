"""Which optimizer a run is trained by, and with which numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, Strict, model_validator

from study.base.errors import BadInput
from study.base.names import OPTIMIZER
from study.runs.declaring import Positive, Says, Settings, Subject, Switch, plain

OWN = "study.Adam"
Beta = Annotated[float, Field(ge=0, lt=1)]


class AdamSettings(Settings):
    """Arguments of this package's Adam (Kingma & Ba, 2015, Algorithm 1)."""

    lr: Positive = 1e-3
    """The step size, the paper's alpha."""
    betas: Annotated[
        tuple[Beta, Beta], Strict(False), Says("two numbers in [0, 1), e.g. [0.9, 0.999]")
    ] = (0.9, 0.999)
    """Decay rates of the first and second moment's running means."""
    eps: Positive = 1e-8
    """Added to the root of the second moment."""
    weight_decay: Annotated[float, Field(ge=0), Says("a number of at least 0")] = 0.0
    """Strength of weight decay."""
    decoupled_weight_decay: Switch = False
    """Shrink the weights (AdamW) instead of adding to the gradient (L2)."""
    fused: Switch = True
    """Use torch's fused kernel for the update; false runs the algorithm as written here."""


class Optimizer(Subject):
    """An optimizer by class and arguments; this package's Adam unless another is named.

    Arguments are given by their names or as ``init_args``, as in a config.
    """

    class_path: Annotated[str, OPTIMIZER] = OWN
    """study.Adam, or the import path of any torch optimizer."""
    init_args: Annotated[dict[str, Any], Says("a mapping of argument names to values")] = {}
    """Its arguments, all but the parameters."""

    def __init__(
        self,
        class_path: str = OWN,
        init_args: Any = None,
        **arguments: Any,
    ) -> None:
        if isinstance(init_args, Mapping):
            for name in arguments.keys() & init_args.keys():
                raise BadInput(name, "one value", hint="it is both in init_args and beside it")
            arguments |= init_args
        elif init_args is not None:
            arguments = init_args
        given: dict[str, Any] = {"class_path": class_path, "init_args": arguments}
        super().__init__(**given)

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> Optimizer:
        """Read the config's form: ``class_path`` and ``init_args``, or the arguments at once."""
        return cls(**mapping)

    @property
    def is_own(self) -> bool:
        """Whether it is this package's Adam."""
        return self.class_path == OWN

    @model_validator(mode="after")
    def _sound_arguments(self) -> Self:
        args = AdamSettings(**self.init_args).values() if self.is_own else plain(self.init_args)
        for name, value in args.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise BadInput(name, "a finite number", value)
            if value == "off":  # false in YAML 1.1; as text it would count as true
                raise BadInput(name, "true or false", value)
        self.init_args.clear()
        self.init_args.update(args)
        return self

    def facts(self) -> dict[str, Any]:
        """Return the class and its arguments by name, lists as lists."""
        return {"class_path": self.class_path, **plain(dict(sorted(self.init_args.items())))}

    def changed(self, values: dict[str, Any]) -> Optimizer:
        """Return the optimizer with some other arguments, or of another class with the same.

        This package's Adam has all of its own written out, and leaves them behind.
        """
        leaves = self.is_own and values.get("class_path", OWN) != OWN
        args = {} if leaves else {"class_path": self.class_path, **self.init_args}
        return Optimizer(**{**args, **values})
