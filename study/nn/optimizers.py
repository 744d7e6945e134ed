"""One optimizer for a stack: a parameter group a run, whichever torch optimizer it is."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from study.checks import BadInput
from study.nn.adam import Adam
from study.settings import Optimizer


def optimizer_class(settings: Optimizer) -> type[torch.optim.Optimizer]:
    """Import the class that a run's optimizer names.

    Raises
    ------
    BadInput
        No such class, or no torch optimizer.
    """
    if settings.class_path == "study.Adam":
        return Adam
    module, _, name = settings.class_path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInput(
            "optimizer.class_path", "a class that can be imported", settings.class_path, str(error)
        ) from None
    if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
        raise BadInput(
            "optimizer.class_path", "a subclass of torch.optim.Optimizer", settings.class_path
        )
    return found


def make_optimizer(
    settings: Sequence[Optimizer], rows: Sequence[Sequence[Tensor]]
) -> torch.optim.Optimizer:
    """Return an optimizer whose group ``i`` holds run ``i``'s parameters and numbers.

    Raises
    ------
    BadInput
        The class refuses the arguments, or cannot keep runs apart.
    """
    make = optimizer_class(settings[0])
    groups = [
        {"params": list(parameters), **each.init_args}
        for each, parameters in zip(settings, rows, strict=True)
    ]
    try:
        # The arguments are given twice: as defaults the class checks their names, too.
        return make(groups, **settings[0].init_args)
    except (TypeError, ValueError, RuntimeError) as error:
        raise BadInput(
            "optimizer", f"arguments that {settings[0].class_path} takes", str(error)
        ) from None


def saved(optimizer: torch.optim.Optimizer, group: int) -> dict[str, Tensor]:
    """Return copies of a group's parameters and optimizer state, by name.

    Parameters are named as in a `torch.nn.Sequential` of linear layers and activations,
    ``0.weight``, ``0.bias``, ``2.weight``, …; state ``optimizer.<parameter>.<name>``.
    """
    tensors: dict[str, Tensor] = {}
    for name, parameter in _named(optimizer, group):
        tensors[name] = parameter.detach().clone(memory_format=torch.contiguous_format)
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{name}.{key}"] = value.detach().clone()
            elif value is not None:
                raise BadInput(
                    "optimizer.class_path",
                    "an optimizer whose state is all tensors, so that it can be resumed",
                    type(optimizer).__name__,
                )
    return tensors


def restore(
    optimizer: torch.optim.Optimizer,
    group: int,
    settings: Optimizer,
    state: Mapping[str, Tensor] | None,
) -> None:
    """Give a group to a run: its numbers, and its saved tensors or a fresh optimizer state."""
    optimizer.param_groups[group].update(settings.init_args)
    for name, parameter in _named(optimizer, group):
        optimizer.state.pop(parameter, None)
        if state is None:
            continue
        with torch.no_grad():
            parameter.copy_(state[name])
        prefix = f"optimizer.{name}."
        for key, value in state.items():
            if key.startswith(prefix):
                device = value.device if value.ndim == 0 else parameter.device
                optimizer.state[parameter][key.removeprefix(prefix)] = value.clone().to(device)


def _named(optimizer: torch.optim.Optimizer, group: int) -> list[tuple[str, Tensor]]:
    parameters: list[Tensor] = optimizer.param_groups[group]["params"]
    return [
        (f"{2 * (index // 2)}.{'bias' if index % 2 else 'weight'}", parameter)
        for index, parameter in enumerate(parameters)
    ]
