"""Events of training, for observers: records, terminal, tasks and W&B.

Training calls its observers in the order in which they were passed. An `Observer` sees a stack only
as a `LiveStack`, so that observers do not depend on Lightning, nor training on observers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from study.runs.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


class Machine(NamedTuple):
    """The machine that trains a stack.

    Attributes
    ----------
    device
        The kind of device, e.g. ``cpu`` or ``cuda:0``.
    precision
        Lightning's precision setting.
    routes
        How large matrix products are computed, by shape.
    tolerance
        The largest difference of a weight that a run's neighbours in the stack made, relative to
        the largest weight: 0 where a run has the same bits alone.
    engine
        What trains: a ``stack``, or the ``plain`` module.
    """

    device: str
    precision: str
    routes: Mapping[str, str]
    tolerance: float
    engine: str = "stack"


class Outcome(NamedTuple):
    """The results of an ended run beside its history.

    Attributes
    ----------
    weights
        The network's tensors on the CPU, by name.
    predictions
        What the network answered, as `study.records.predictions.answers_table` takes it; nothing
        where predictions are not kept.
    images
        The images of the training examples among those, [example, feature].
    """

    weights: Mapping[str, Tensor]
    predictions: list[dict[str, Any]]
    images: NDArray[np.uint8]


class LiveStack(Protocol):
    """A stack that trains, as observers see it."""

    @property
    def taken_up(self) -> Sequence[Progress]:
        """All runs that have begun in this stack, including ended runs."""

    @property
    def training(self) -> Sequence[Progress]:
        """The runs that have not ended."""

    @property
    def ended(self) -> Sequence[Progress]:
        """The runs that ended in this epoch."""

    def machine(self) -> Machine:
        """Measure and return the machine that trains the stack."""

    def hashes(self, progress: Progress) -> tuple[str, str]:
        """Return the sha256 of a run's source of data, and of its examples and labels."""

    def state(self, progress: Progress) -> Mapping[str, Tensor]:
        """Return copies of all tensors from which a run can go on."""

    def outcome(self, progress: Progress) -> Outcome:
        """Return the results of a run that ended in this epoch."""

    def stop(self) -> None:
        """Ask training to stop after this epoch."""


class Observer:
    """Receives the events of training. Subclasses override the events they need."""

    def stack_began(self, stack: LiveStack) -> None:
        """Observe the start of a stack's training."""

    def epoch_began(self, stack: LiveStack) -> None:
        """Observe the start of an epoch."""

    def batch_ended(self, stack: LiveStack, share: float) -> None:
        """Observe the end of a batch; ``share`` of the epoch's batches are done."""

    def epoch_ended(self, stack: LiveStack) -> None:
        """Observe the end of an epoch, after runs due for evaluation were evaluated."""

    def stack_ended(self, stack: LiveStack) -> None:
        """Observe the end of a stack's training: all its runs ended, or it was stopped."""
