"""Which optimizer a run is trained by, and with which numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from study.base.errors import (
    BadInput,
    check_fields,
    is_import_path,
    is_number,
    is_positive,
    setting,
    unknown_key,
)


def _betas(value: object) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(is_number(beta, 0, 1) and beta < 1 for beta in value)
    )


@dataclass(frozen=True)
class AdamSettings:
    """Arguments of this package's Adam (Kingma & Ba, 2015, Algorithm 1).

    Attributes
    ----------
    lr : float
        The step size, the paper's alpha.
    betas : list of float
        Decay rates of the first and second moment's running means.
    eps : float
        Added to the root of the second moment.
    weight_decay : float
        Strength of weight decay.
    decoupled_weight_decay : bool
        Shrink the weights (AdamW) instead of adding to the gradient (L2).
    fused : bool
        Use torch's fused kernel for the update; false runs the algorithm as written here.
    """

    lr: float = setting(1e-3, "a number above 0", is_positive)
    betas: tuple[float, float] = setting(
        (0.9, 0.999), "two numbers in [0, 1), e.g. [0.9, 0.999]", _betas
    )
    eps: float = setting(1e-8, "a number above 0", is_positive)
    weight_decay: float = setting(0.0, "a number of at least 0", is_number)
    decoupled_weight_decay: bool = setting(False, "true or false", lambda v: isinstance(v, bool))
    fused: bool = setting(True, "true or false", lambda v: isinstance(v, bool))

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "betas", tuple(float(beta) for beta in self.betas))


@dataclass(frozen=True)
class Optimizer:
    """An optimizer by class and arguments; this package's Adam unless another is named.

    Attributes
    ----------
    class_path : str
        ``study.Adam``, or the import path of any torch optimizer.
    init_args : dict
        Its arguments, all but the parameters.
    """

    class_path: str = setting(
        "study.Adam",
        "an import path, e.g. study.Adam or torch.optim.SGD",
        is_import_path,
    )
    init_args: Mapping[str, Any] = setting(
        {},
        "a mapping of argument names to values",
        lambda v: isinstance(v, Mapping) and all(isinstance(key, str) for key in v),
    )

    def __post_init__(self) -> None:
        check_fields(self)
        args = dict(self.init_args)
        if self.class_path == "study.Adam":
            names = [field.name for field in dataclasses.fields(AdamSettings)]
            for key in args:
                if key not in names:
                    raise unknown_key(key, [*names, "class_path", "init_args"])
            args = dataclasses.asdict(AdamSettings(**args))
        for key, value in args.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise BadInput(key, "a finite number", value)
        object.__setattr__(self, "init_args", args)

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> Optimizer:
        """Read the config's form: ``class_path`` and ``init_args``, or the arguments at once."""
        args = all_at_once(mapping)
        return cls(args.pop("class_path", "study.Adam"), args)


def all_at_once(optimizer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an optimizer's class_path and arguments side by side, without init_args."""
    args = dict(optimizer)
    inner = args.pop("init_args", None)
    if inner is None:
        return args
    if not isinstance(inner, Mapping):
        raise BadInput("init_args", "a mapping of argument names to values", inner)
    for key in inner:
        if key in args:
            raise BadInput(str(key), "one value", hint="it is both in init_args and beside it")
    return {**args, **inner}
