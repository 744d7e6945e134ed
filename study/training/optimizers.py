"""One optimizer for a stack: a parameter group a run, whichever torch optimizer it is."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from study.base.errors import BadInput, unknown_key
from study.base.names import OPTIMIZER
from study.nn.adam import Adam
from study.runs.optimizer import Optimizer


def optimizer_class(settings: Optimizer) -> type[torch.optim.Optimizer]:
    """Import the class that a run's optimizer names.

    Raises
    ------
    BadInput
        No such class, or no torch optimizer.
    """
    path = settings.class_path
    found = OPTIMIZER.resolve(path, "optimizer.class_path")
    if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
        raise BadInput("optimizer.class_path", "a subclass of torch.optim.Optimizer", path)
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
    groups = [
        {"params": list(parameters), **_numbers(each)}
        for each, parameters in zip(settings, rows, strict=True)
    ]
    return _made(settings[0], groups)


def _numbers(settings: Optimizer) -> dict[str, Any]:
    """Return all numbers of a run's group, those left to the class's defaults, too.

    A group that names only some takes the others from the optimizer, which is to say from
    whichever run came first.
    """
    return _made(settings, [{"params": [torch.zeros(1)]}]).defaults


def _made(settings: Optimizer, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    make = optimizer_class(settings)
    known = [name for name in inspect.signature(make).parameters if name != "params"]
    for name in settings.init_args:
        if name not in known:
            raise unknown_key(f"optimizer.{name}", [f"optimizer.{each}" for each in known])
    try:
        return make(groups, **settings.init_args)
    except (TypeError, ValueError, RuntimeError) as error:
        raise BadInput(
            "optimizer", f"arguments that {settings.class_path} takes", str(error)
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
    numbers = optimizer.param_groups[group]
    numbers.update(_numbers(settings))
    # As torch does: a step counter lies on the CPU unless a kernel on the device reads it.
    device_counts = isinstance(optimizer, Adam) or numbers.get("fused") or numbers.get("capturable")
    for name, parameter in _named(optimizer, group):
        optimizer.state.pop(parameter, None)
        if state is None:
            continue
        with torch.no_grad():
            parameter.copy_(state[name])
        prefix = f"optimizer.{name}."
        for key, value in state.items():
            if key.startswith(prefix):
                stays = value.ndim == 0 and not device_counts
                device = value.device if stays else parameter.device
                optimizer.state[parameter][key.removeprefix(prefix)] = value.clone().to(device)


def _named(optimizer: torch.optim.Optimizer, group: int) -> list[tuple[str, Tensor]]:
    parameters: list[Tensor] = optimizer.param_groups[group]["params"]
    return [
        (f"{2 * (index // 2)}.{'bias' if index % 2 else 'weight'}", parameter)
        for index, parameter in enumerate(parameters)
    ]
