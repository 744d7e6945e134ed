"""What both ways of training a stack have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils import get_total_norm

from study.base.errors import BadInput
from study.base.names import ACTIVATION
from study.nn import products
from study.nn.dropout import Dropout
from study.nn.gradients import METHODS, AutogradGradients, DerivedGradients
from study.nn.mlp import Activation, StackedMLP, aligned_stack
from study.runs.run import Run
from study.training.optimizers import RunOptimizer, StackOptimizer, load_weights
from study.training.stack_batch import StackBatch

T = TypeVar("T")


# Each slot's sums over the examples as it saw them while training: of their cross-entropy, of how
# many it was right on, and of how many there were.
Running: TypeAlias = Float[Tensor, "3 run"]


class Engine(ABC):
    """Trains the networks of a stack, with the run in each slot; they share a program."""

    def __init__(self, network: StackedMLP, runs: Sequence[Run], routes: Mapping[str, str]) -> None:
        self.network, self.runs, self.routes = network, list(runs), dict(routes)
        self.failed: dict[int, Exception] = {}  # by slot, what a run's own optimizer raised
        network.align()
        self.whole = network.rows(slice(None))
        self.rows = [network.rows(slot) for slot in range(network.runs)]
        self.gradients = [
            aligned_stack(network.runs, tensor.shape[1:], tensor) for tensor in self.whole
        ]
        self.gradient_rows = [
            [gradient[slot] for gradient in self.gradients] for slot in range(network.runs)
        ]
        self.optimizers = [
            RunOptimizer(run.optimizer, rows) for run, rows in zip(runs, self.rows, strict=True)
        ]
        self.optimizer = StackOptimizer(self.optimizers)
        self.note_weights()
        batch = runs[0].data.batch_size
        activation = ACTIVATION.resolve_as(network.activation, "activation", Activation)
        self.act = activation.in_place
        self.layers = products.layers(network.widths, batch, self.routes)
        model, inputs = runs[0].model, network.widths[:-1]
        shares = (model.input_dropout, *[model.dropout] * (len(inputs) - 1))
        device = self.whole[0].device
        self.dropout = Dropout([run.seed for run in runs], inputs, shares, device)

    def no_sums(self) -> Running:
        """Return sums over no examples."""
        return self.whole[0].new_zeros(3, self.network.runs, dtype=torch.float64)

    def method(self) -> DerivedGradients | AutogradGradients:
        """Return a new method of the runs' gradients, with buffers of its own."""
        model = self.runs[0].model
        return METHODS[model.gradients](
            self.layers,
            activation=model.activation,
            loss=model.loss,
            backward=model.backward,
            label_smoothing=model.label_smoothing,
        )

    def load(
        self,
        slot: int,
        run: Run,
        state: Mapping[str, Tensor] | None = None,
        *,
        keep_weights: bool = False,
    ) -> None:
        """Put a run into a slot: the state that `save` returned, or the weights its seed gives.

        With ``keep_weights`` the network holds the run's weights already.
        """
        if not keep_weights and state is None:
            self.network.initialize(slot, run.seed, run.model.init_scale)
        elif not keep_weights and state is not None:
            load_weights(self.rows[slot], state)
        self.dropout.reseed(slot, run.seed)
        self.runs[slot] = run
        self.optimizers[slot] = RunOptimizer(run.optimizer, self.rows[slot], state)
        self.optimizer.show(self.optimizers)

    def note_weights(self) -> None:
        """Note that the weights are as the training has made them."""
        self._versions = [tensor._version for tensor in self.whole]

    def check_untouched(self) -> None:
        """See that nobody else changes what the runs train by.

        Raises
        ------
        BadInput
            A hook changed the weights since `note_weights`, froze them, or changed a number of the
            optimizer.
        """
        if not all(parameter.requires_grad for parameter in self.network.parameters()):
            hint = "a hook has frozen some; a run's parameters all train"
            raise BadInput("StackModule", "parameters that all train", hint=hint)
        if self._versions != [tensor._version for tensor in self.whole]:
            hint = "a hook has changed them; train another run, or set them before fit"
            raise BadInput("weights", "weights that only the training changes", hint=hint)
        for each in self.optimizers:
            each.check_untouched()

    def save(self, slot: int) -> dict[str, Tensor]:
        """Return copies of all tensors that a slot's run needs to go on."""
        return self.optimizers[slot].save()

    @abstractmethod
    def steps(self, batch: StackBatch, training: Sequence[int]) -> Running:
        """Take a batch's steps for the slots in ``training``; return the sums over its examples."""

    def each(self, task: Callable[[int], T], slots: Sequence[int]) -> list[T]:
        """Do a task for each slot and return what they return."""
        return [task(slot) for slot in slots]

    def finish(self, slots: Sequence[int]) -> None:
        """Clip each slot's gradients and update its weights."""
        for slot in slots:
            gradients, trainer = self.gradient_rows[slot], self.runs[slot].trainer
            if trainer.gradient_clip_val is not None:
                clip(gradients, trainer.gradient_clip_val, trainer.gradient_clip_algorithm)
            for row, gradient in zip(self.rows[slot], gradients, strict=True):
                row.grad = gradient
        self._update(slots)

    def _update(self, slots: Sequence[int]) -> None:
        """Update each slot's weights from its gradients."""
        for slot in slots:
            self.optimizers[slot].step()

    def end_epoch(self, slots: Sequence[int]) -> None:
        """Let the schedules of some slots know that an epoch has ended."""
        for slot in slots:
            self.optimizers[slot].advance("epoch")

    def logits(
        self, slot: int, images: Float[Tensor, "batch feature"]
    ) -> Float[Tensor, "batch classes"]:
        """Return what a slot's network makes of many images."""
        rows = self.rows[slot]
        h = images.to(rows[0].dtype)
        for layer, weight, bias in zip(self.layers, rows[::2], rows[1::2], strict=True):
            h = layer.evaluation(h, weight, None).add_(bias)
            if layer is not self.layers[-1]:
                h = self.act(h)
        return h


def clip(gradients: list[Tensor], bound: float, algorithm: str) -> None:
    """Bound one run's gradients in place: their common norm, or each element."""
    if algorithm == "value":
        torch._foreach_clamp_min_(gradients, -bound)
        torch._foreach_clamp_max_(gradients, bound)
        return
    norm = get_total_norm(gradients)
    torch._foreach_mul_(gradients, (bound / (norm + 1e-6)).clamp(max=1.0))
