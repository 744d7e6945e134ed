"""Checks of what Adam is given: options and numbers of groups, and saved states."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from study.base.errors import nearest

OPTIONS = ("lr", "betas", "eps", "weight_decay", "decoupled_weight_decay", "fused")
# torch and its schedulers write these keys into groups; ``name`` is the user's label of a group.
LABELS = (
    *("params", "param_names", "name", "initial_lr", "swa_lr"),
    *("min_lr", "max_lr", "base_momentum", "max_momentum"),
)
# This Adam does not have these options of torch's Adam. A saved state may hold them switched off.
NOT_OFFERED = ("amsgrad", "capturable", "differentiable", "foreach", "maximize")
TORCH_NAMES = {"exp_avg": "m", "exp_avg_sq": "v"}


def refuse_unknown_options(group: Mapping[str, Any]) -> None:
    """Raise `TypeError` if a group has an option that Adam does not have."""
    for name in group:
        if name not in OPTIONS and name not in LABELS:
            hint = nearest(name, OPTIONS) or "remove it"
            raise TypeError(f"{name}: expected one of {', '.join(OPTIONS)}; {hint}")


def refuse_bad_numbers(group: Mapping[str, Any]) -> None:
    """Raise `ValueError` if a number of a group is out of its range."""
    for name in ("lr", "eps", "weight_decay"):
        value = group[name]
        if (isinstance(value, Tensor) and value.numel() != 1) or not 0.0 <= value < math.inf:
            raise ValueError(f"{name}: expected a number of at least 0, found {value}")
    for beta in group["betas"]:
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"betas: expected numbers in [0, 1), found {group['betas']}")


def complete_group(group: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    """Add the options that a saved group lacks.

    Raises
    ------
    ValueError
        The group lacks Adam's own options, or switches on an option that is missing here.
    """
    missing = [name for name in ("lr", "betas", "eps", "weight_decay") if name not in group]
    if missing:
        names = ", ".join(missing)
        raise ValueError(f"param_groups: expected Adam's options, found a group without {names}")
    for name in NOT_OFFERED:
        if group.get(name):
            raise ValueError(
                f"param_groups: expected {name} to be off, because study.Adam has no such option, "
                "found on"
            )
    for name in OPTIONS:
        group.setdefault(name, defaults[name])


def complete_state(theta: Tensor, state: dict[str, Any]) -> None:
    """Give a parameter's saved state the names and places that Adam needs.

    Raises
    ------
    ValueError
        The state does not hold Adam's tensors in the parameter's shape.
    """
    for name in TORCH_NAMES.keys() & state.keys():
        state[TORCH_NAMES[name]] = state.pop(name)
    expected = {"step": (), "m": tuple(theta.shape), "v": tuple(theta.shape)}
    found = {name: tuple(getattr(value, "shape", ("no tensor",))) for name, value in state.items()}
    if found != expected:
        raise ValueError(f"state: expected tensors of the shapes {expected}, found {found}")
    # The kernel reads the step in single precision on the parameter's device.
    state["step"] = state["step"].to(theta.device, torch.float32)
