"""A step recorded as a CUDA graph: replaying it is one launch in place of fifty.

Not measured on a GPU yet; its logic is tested on a CPU.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from study.runs.run import Run
from study.training.optimizers import RunOptimizer

# The first steps allocate: optimizer state, the libraries' workspaces. A graph must not.
EAGER_STEPS = 3


def can_record(device: torch.device, run: Run, optimizer: RunOptimizer) -> bool:
    """Tell whether a step is all kernels on a device that records them.

    Autograd's step is not worth its risks. An optimizer has to say that its kernels read all that
    changes on the device, by torch's option ``capturable``, or, where a class has none, by
    ``fused``. A learning rate is a number in the record, so it must not change at each step.
    """
    derived = run.model.gradients == "derived" and optimizer.interval != "step"
    groups = optimizer.optimizer.param_groups
    on_device = all(group.get("capturable", group.get("fused")) for group in groups)
    return device.type == "cuda" and derived and on_device


class Recorded:
    """Takes a step a few times as it is, then records it and replays the record.

    Every call is exactly one step. Should recording fail, steps go on as they are, with a warning.
    A step takes images, labels and numbers, always of the same shapes. It reads and writes tensors
    that stay where they are, waits for none of their values, and returns nothing.
    """

    def __init__(self, step: Callable[..., None]) -> None:
        self.step = step
        self.taken = 0
        self.replay: Callable[[], None] | None = None
        self.fails = False

    def __call__(self, *batch: Tensor) -> None:
        """Take one step."""
        if self.replay is None and not self.fails and self.taken >= EAGER_STEPS:
            self.replay = self._record(*batch)
            self.fails = self.replay is None
        if self.replay is None:
            self.taken += 1
            self.step(*batch)
            return
        for recorded, given in zip(self.batch, batch, strict=True):
            recorded.copy_(given)
        self.replay()

    def _record(self, *batch: Tensor) -> Callable[[], None] | None:
        """Record the step, which does not take it, and return how to take it from now on."""
        self.batch = [each.clone() for each in batch]
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self.step(*self.batch)
        except RuntimeError as error:
            warnings.warn(f"steps are not recorded as a CUDA graph: {error}", stacklevel=2)
            return None
        return graph.replay
