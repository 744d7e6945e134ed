"""One torch optimizer for all runs of a stack: every run has a parameter group."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from study.base.errors import BadInput, unknown_key
from study.base.names import OPTIMIZER
from study.nn.adam import Adam
from study.runs.settings import Optimizer


def optimizer_class(settings: Optimizer) -> type[torch.optim.Optimizer]:
    """Import the class that a run's settings name.

    Raises
    ------
    BadInput
        The class does not exist, or is not a torch optimizer.
    """
    path = settings.class_path
    found = OPTIMIZER.resolve(path, "optimizer.class_path")
    if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
        raise BadInput("optimizer.class_path", "a subclass of torch.optim.Optimizer", path)
    return found


def updates_at_once(settings: Optimizer) -> bool:
    """Tell whether the engine itself applies a run's updates, right after each gradient.

    It does for this package's Adam; any other optimizer is stepped after a batch of one step.
    """
    return issubclass(optimizer_class(settings), Adam)


def make_optimizer(
    settings: Sequence[Optimizer], rows: Sequence[Sequence[Tensor]]
) -> torch.optim.Optimizer:
    """Return an optimizer whose group ``i`` holds run ``i``'s parameters and numbers.

    Raises
    ------
    BadInput
        The class refuses the arguments or does not support parameter groups.
    """
    groups = [
        {"params": list(parameters), **_numbers(each)}
        for each, parameters in zip(settings, rows, strict=True)
    ]
    return _made(settings[0], groups)


def _numbers(settings: Optimizer) -> dict[str, Any]:
    """Return all numbers of a run's group, including the defaults of the class.

    A number that a group leaves out would come from the optimizer, and so from the first run.
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

    Parameters are named as in a `torch.nn.Sequential` of linear layers and activations:
    ``0.weight``, ``0.bias``, ``2.weight``, …. State is named ``optimizer.<parameter>.<name>``.

    Raises
    ------
    BadInput
        The optimizer's state contains something other than tensors.
    """
    tensors: dict[str, Tensor] = {}
    for name, parameter in _named(optimizer.param_groups[group]["params"]):
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


def load_weights(parameters: Sequence[Tensor], state: Mapping[str, Tensor]) -> None:
    """Copy a run's saved weights and biases into its parameters, in layer order."""
    with torch.no_grad():
        for name, parameter in _named(parameters):
            parameter.copy_(state[name])


def restore(
    optimizer: torch.optim.Optimizer,
    group: int,
    settings: Optimizer,
    state: Mapping[str, Tensor] | None,
    *,
    keep_weights: bool = False,
) -> None:
    """Set a group to a run's numbers and saved tensors; without tensors its state starts anew.

    With ``keep_weights`` the parameters stay what they are, whatever was saved.
    """
    if state is not None and not keep_weights:
        load_weights(optimizer.param_groups[group]["params"], state)
    numbers = optimizer.param_groups[group]
    fresh = _made(settings, [{"params": numbers["params"]}])
    numbers.update(fresh.defaults)
    # torch keeps step counters on the CPU unless a kernel on the device reads them.
    device_counts = isinstance(optimizer, Adam) or numbers.get("fused") or numbers.get("capturable")
    for name, parameter in _named(numbers["params"]):
        optimizer.state.pop(parameter, None)
        if state is None:
            # Some classes, like torch 2.13's Adagrad, fill the state in their constructor only.
            if parameter in fresh.state:
                optimizer.state[parameter] = fresh.state[parameter]
            continue
        prefix = f"optimizer.{name}."
        for key, value in state.items():
            if key.startswith(prefix):
                stays = value.ndim == 0 and not device_counts
                device = value.device if stays else parameter.device
                optimizer.state[parameter][key.removeprefix(prefix)] = value.clone().to(device)


def numbers_of(optimizer: torch.optim.Optimizer, group: int) -> dict[str, Any]:
    """Return copies of a group's numbers, those that the optimizer's class takes as arguments."""
    taken = inspect.signature(type(optimizer)).parameters
    numbers = optimizer.param_groups[group]
    return {name: numbers[name] for name in taken if name != "params" and name in numbers}


def _named(parameters: Sequence[Tensor]) -> list[tuple[str, Tensor]]:
    return [
        (f"{2 * (index // 2)}.{'bias' if index % 2 else 'weight'}", parameter)
        for index, parameter in enumerate(parameters)
    ]
