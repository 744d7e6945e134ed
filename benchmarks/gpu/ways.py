"""All ways to train on a GPU that are timed beside each other, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.gpu.others import Lightning, PlainLoop, Vmap
from benchmarks.gpu.ours import StudyEngine, StudyInLightning
from benchmarks.gpu.problem import Problem, Way

WAYS: dict[str, Callable[[Problem, int], Way]] = {
    "study": StudyEngine,
    "study, its whole epochs in Lightning": StudyInLightning,
    "vmap": Vmap,
    "vmap, compiled with CUDA graphs": partial(Vmap, compiled=True),
    "plain loop": PlainLoop,
    "plain loop, compiled with CUDA graphs": partial(PlainLoop, compiled=True),
    "Lightning, batches on the device": partial(Lightning, dataloader=False),
    "Lightning + DataLoader": partial(Lightning, dataloader=True),
}
