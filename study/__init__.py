"""Reproducibility study of memorization in small networks; everything here loads on first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from study.base.errors import BadInput
    from study.data.sources import Source
    from study.nn.adam import Adam
    from study.nn.mlp import StackedMLP
    from study.nn.softmax import softmax, softmax_jacobian
    from study.records.networks import load_network
    from study.records.reading import load
    from study.runs.run import Run
    from study.runs.settings import Data, Model, Optimizer, Stop, Trainer
    from study.runs.study import Study
    from study.training.plain_data import StudyData
    from study.training.plain_module import StudyModule
    from study.training.stack import Stack
    from study.training.stack_data import StackData
    from study.training.stack_module import StackModule

_HOMES = {
    "Adam": "study.nn.adam",
    "BadInput": "study.base.errors",
    "Data": "study.runs.settings",
    "Model": "study.runs.settings",
    "Optimizer": "study.runs.settings",
    "Run": "study.runs.run",
    "Source": "study.data.sources",
    "Stack": "study.training.stack",
    "StackedMLP": "study.nn.mlp",
    "Stop": "study.runs.settings",
    "Study": "study.runs.study",
    "StudyData": "study.training.plain_data",
    "StudyModule": "study.training.plain_module",
    "StackData": "study.training.stack_data",
    "StackModule": "study.training.stack_module",
    "Trainer": "study.runs.settings",
    "load": "study.records.reading",
    "load_network": "study.records.networks",
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
    "Source",
    "Stack",
    "StackData",
    "StackModule",
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
