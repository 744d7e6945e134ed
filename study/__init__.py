"""Reproducibility study of memorization in small networks; everything here loads on first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from study.checks import BadInput
    from study.data.module import StudyData
    from study.module import StudyModule
    from study.nn.adam import Adam
    from study.nn.mlp import StackedMLP
    from study.nn.softmax import softmax, softmax_jacobian
    from study.optimizer_settings import Optimizer
    from study.records import load, load_network
    from study.run import Run
    from study.settings import Data, Model, Stop, Trainer
    from study.stack import Stack
    from study.study import Study

_HOMES = {
    "Adam": "study.nn.adam",
    "BadInput": "study.checks",
    "Data": "study.settings",
    "Model": "study.settings",
    "Optimizer": "study.optimizer_settings",
    "Run": "study.run",
    "Stack": "study.stack",
    "StackedMLP": "study.nn.mlp",
    "Stop": "study.settings",
    "Study": "study.study",
    "StudyData": "study.data.module",
    "StudyModule": "study.module",
    "Trainer": "study.settings",
    "load": "study.records",
    "load_network": "study.records",
    "softmax": "study.nn.softmax",
    "softmax_jacobian": "study.nn.softmax",
}

__all__ = [
    "Adam",
    "BadInput",
    "Data",
    "Model",
    "Optimizer",
    "Run",
    "Stack",
    "StackedMLP",
    "Stop",
    "Study",
    "StudyData",
    "StudyModule",
    "Trainer",
    "load",
    "load_network",
    "softmax",
    "softmax_jacobian",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'study' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
