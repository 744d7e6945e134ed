"""What happens while runs train, for all that look on: records, terminal, tasks and W&B.

Training calls every `Observer` in the order in which it was given them. An observer sees a stack
through `LiveStack` alone, so that it need not know Lightning, and training need not know it.
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
    """Where a stack is trained.

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
    """

    device: str
    precision: str
    routes: Mapping[str, str]
    tolerance: float


class Outcome(NamedTuple):
    """What a run that ended leaves beside its history.

    Attributes
    ----------
    weights
        The network's tensors on the CPU, by name.
    predictions
        What the network says of a few hundred fixed examples, a row each.
    images
        The images of some of those, [example, feature].
    """

    weights: Mapping[str, Tensor]
    predictions: list[dict[str, Any]]
    images: NDArray[np.uint8]


class LiveStack(Protocol):
    """A stack that trains, as observers see it."""

    @property
    def taken_up(self) -> Sequence[Progress]:
        """All runs that this stack has taken up, those that ended among them."""
        ...

    @property
    def training(self) -> Sequence[Progress]:
        """The runs that have not ended."""
        ...

    @property
    def ended(self) -> Sequence[Progress]:
        """The runs that ended in this epoch."""
        ...

    def machine(self) -> Machine:
        """Measure and return where the stack is trained."""
        ...

    def hashes(self, progress: Progress) -> tuple[str, str]:
        """Return the sha256 of a run's source of data, and of its examples and labels."""
        ...

    def state(self, progress: Progress) -> Mapping[str, Tensor]:
        """Return copies of all tensors that a run needs to go on."""
        ...

    def outcome(self, progress: Progress) -> Outcome:
        """Return what a run that ended in this epoch leaves."""
        ...

    def stop(self) -> None:
        """Ask for an end of training after this epoch."""
        ...


class Observer:
    """Hears what happens while runs train. Override what is of interest."""

    def stack_began(self, stack: LiveStack) -> None:
        """Hear that a stack begins to train."""

    def epoch_began(self, stack: LiveStack) -> None:
        """Hear that an epoch begins."""

    def batch_ended(self, stack: LiveStack, share: float) -> None:
        """Hear which share of the epoch's batches is done."""

    def epoch_ended(self, stack: LiveStack) -> None:
        """Hear that an epoch is over, evaluated where it was due."""

    def stack_ended(self, stack: LiveStack) -> None:
        """Hear that a stack trains no more: all its runs ended, or it was stopped."""
