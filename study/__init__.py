"""Reproducibility study of memorization in small networks; everything here loads on first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from study.base.errors import BadInput as BadInput
    from study.data.sources import Source as Source
    from study.nn.adam import Adam as Adam
    from study.nn.mlp import StackedMLP as StackedMLP
    from study.nn.softmax import softmax as softmax
    from study.nn.softmax import softmax_jacobian as softmax_jacobian
    from study.records.networks import load_network as load_network
    from study.records.reading import load as load
    from study.runs.run import Run as Run
    from study.runs.settings import Data as Data
    from study.runs.settings import Model as Model
    from study.runs.settings import Optimizer as Optimizer
    from study.runs.settings import Stop as Stop
    from study.runs.settings import Trainer as Trainer
    from study.runs.study import Study as Study
    from study.training.plain_data import StudyData as StudyData
    from study.training.plain_module import StudyModule as StudyModule
    from study.training.stack import Stack as Stack
    from study.training.stack_data import StackData as StackData
    from study.training.stack_module import StackModule as StackModule

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

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'study' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
