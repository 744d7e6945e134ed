"""A run's optimizer with its schedule: made from settings, stepped, saved and taken up again."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from study.base.errors import BadInput, unknown_key
from study.base.names import OPTIMIZER
from study.runs.settings import Optimizer
from study.training.schedules import make_schedule, try_schedule

SCHEDULED = "optimizer.schedule.steps"  # name of the saved number of a schedule's steps


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


def make_optimizer(settings: Optimizer, parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    """Return the optimizer that a run's settings name.

    Raises
    ------
    BadInput
        No such class, or one that refuses the arguments.
    """
    make = optimizer_class(settings)
    known = [name for name in inspect.signature(make).parameters if name != "params"]
    for name in settings.init_args:
        if name not in known:
            raise unknown_key(f"optimizer.{name}", [f"optimizer.{each}" for each in known])
    try:
        return make(list(parameters), **settings.init_args)
    except (TypeError, ValueError, RuntimeError) as error:
        expected = f"arguments that {settings.class_path} takes"
        raise BadInput("optimizer", expected, str(error)) from None


class RunOptimizer:
    """A run's optimizer and the schedule of its learning rate, for parameters in layer order.

    ``state`` is what `save` returned; None starts anew. The parameters stay what they are.

    Raises
    ------
    BadInput
        As of `make_optimizer` and `study.training.schedules.make_schedule`.
    """

    def __init__(
        self,
        settings: Optimizer,
        parameters: Sequence[Tensor],
        state: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.settings, self.parameters = settings, parameters
        self.optimizer = make_optimizer(settings, parameters)
        self._update = _unlabelled(self.optimizer)
        self.schedule = make_schedule(settings, self.optimizer)
        self.interval = settings.schedule and settings.schedule.interval
        self.scheduled = 0
        self._noted = numbers(self.optimizer)
        if state is not None:
            self._load(state)

    def step(self) -> None:
        """Update the parameters from their gradients."""
        self._update()
        if self.interval == "step":
            self.advance("step")

    def advance(self, interval: str) -> None:
        """Take a step of the schedule, if it is one of this interval.

        Raises
        ------
        BadInput
            As of `check_untouched`.
        """
        if self.schedule is not None and self.interval == interval:
            self.check_untouched()
            self.schedule.step()
            self.scheduled += 1
            self._noted = numbers(self.optimizer)

    def check_untouched(self) -> None:
        """See that the optimizer's numbers are as its class and the schedule have set them.

        Raises
        ------
        BadInput
            A hook has changed one.
        """
        for noted, group in zip(self._noted, self.optimizer.param_groups, strict=True):
            for name, value in noted.items():
                found = group[name]
                if found is not value and found != value:
                    hint = f"a hook has changed it; set it on the run (optimizer.{name})"
                    raise BadInput(f"optimizer.{name}", f"{value!r}, as the run's", found, hint)

    def save(self) -> dict[str, Tensor]:
        """Return copies of the parameters and of all tensors that are needed to go on, by name.

        Parameters are named as in a `torch.nn.Sequential` of linear layers and activations:
        ``0.weight``, ``0.bias``, ``2.weight``, …. State is named ``optimizer.<parameter>.<name>``.

        Raises
        ------
        BadInput
            The optimizer's state contains something other than tensors.
        """
        tensors: dict[str, Tensor] = {}
        for name, parameter in _named(self.parameters):
            tensors[name] = parameter.detach().clone(memory_format=torch.contiguous_format)
            for key, value in self.optimizer.state.get(parameter, {}).items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{name}.{key}"] = value.detach().clone()
                elif value is not None:
                    raise _not_resumable(type(self.optimizer).__name__)
        if self.schedule is not None:
            tensors[SCHEDULED] = torch.tensor(self.scheduled)
        return tensors

    def _load(self, state: Mapping[str, Tensor]) -> None:
        # torch keeps step counters on the CPU unless a kernel on the device reads them.
        group = self.optimizer.param_groups[0]
        device_counts = group.get("fused") or group.get("capturable")
        for name, parameter in _named(self.parameters):
            prefix = f"optimizer.{name}."
            self.optimizer.state[parameter] = {
                key.removeprefix(prefix): value.clone().to(
                    value.device if value.ndim == 0 and not device_counts else parameter.device
                )
                for key, value in state.items()
                if key.startswith(prefix)
            }
        # A schedule is a function of the number of its steps: taken again, they give the same bits.
        for _ in range(int(state.get(SCHEDULED, 0))):
            self.advance(str(self.interval))


class StackOptimizer(torch.optim.Optimizer):
    """Shows Lightning the optimizers of a stack's runs, which the engine itself steps.

    Lightning counts steps by it, and a callback finds the numbers of every run in its groups.
    """

    def __init__(self, optimizers: Sequence[RunOptimizer]) -> None:
        super().__init__(_groups(optimizers), {})

    def show(self, optimizers: Sequence[RunOptimizer]) -> None:
        """Show other optimizers."""
        self.param_groups = _groups(optimizers)

    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]  # torch's own overloads allow this
        """Do nothing: the runs have taken their steps."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: a run's own state is saved beside its progress."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load nothing."""


def joined(optimizers: Sequence[RunOptimizer]) -> torch.optim.Optimizer:
    """Return one optimizer for the parameters of runs with equal numbers.

    It works on the states of the runs' own optimizers, so that these can be saved.
    """
    first = optimizers[0]
    every = [parameter for each in optimizers for parameter in each.parameters]
    made = make_optimizer(first.settings, every)
    for each in optimizers:
        for parameter in each.parameters:
            made.state[parameter] = each.optimizer.state[parameter]
    return made


def try_optimizer(settings: Optimizer, epochs: int, steps: int) -> None:
    """Take one step on a scrap, and all steps of the schedule: so many in each epoch.

    Raises
    ------
    BadInput
        An optimizer that refuses ordinary gradients, needs a closure, or cannot be resumed; a
        schedule that is too short or fails.
    """
    scrap = [torch.zeros(2, 2), torch.zeros(2)]
    for parameter in scrap:
        parameter.grad = torch.ones_like(parameter)
    run = RunOptimizer(settings, scrap)
    before = numbers(run.optimizer)
    try:
        run.optimizer.step()
    except (TypeError, ValueError, RuntimeError) as error:
        expected = "an optimizer of dense gradients, without a closure"
        found = settings.class_path
        raise BadInput("optimizer.class_path", expected, found, str(error)) from None
    run.save()
    if numbers(run.optimizer) != before:
        raise _not_resumable(settings.class_path)
    if settings.schedule and run.schedule:
        number = epochs * (steps if run.interval == "step" else 1)
        try_schedule(settings.schedule, run.schedule, number)


def load_weights(parameters: Sequence[Tensor], state: Mapping[str, Tensor]) -> None:
    """Copy a run's saved weights and biases into its parameters, in layer order."""
    with torch.no_grad():
        for name, parameter in _named(parameters):
            parameter.copy_(state[name])


def numbers(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """Return copies of each group's numbers: all but its parameters."""
    return [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]


def _unlabelled(optimizer: torch.optim.Optimizer) -> Callable[[], Any]:
    """Return an optimizer's step without the label for torch's profiler, which takes 17 µs.

    torch wraps label and hooks around a class's step as one, so an optimizer with hooks keeps both.
    """
    step = type(optimizer).step
    hooks = {**optimizer._optimizer_step_pre_hooks, **optimizer._optimizer_step_post_hooks}
    if hooks or "step" in vars(optimizer) or not getattr(step, "hooked", False):
        return optimizer.step
    return functools.partial(vars(step)["__wrapped__"], optimizer)


def _groups(optimizers: Sequence[RunOptimizer]) -> list[dict[str, Any]]:
    return [group for each in optimizers for group in each.optimizer.param_groups]


def _not_resumable(name: str) -> BadInput:
    expected = "an optimizer whose state is all tensors, so that it can be resumed"
    return BadInput("optimizer.class_path", expected, name)


def _named(parameters: Sequence[Tensor]) -> list[tuple[str, Tensor]]:
    return [
        (f"{2 * (index // 2)}.{'bias' if index % 2 else 'weight'}", parameter)
        for index, parameter in enumerate(parameters)
    ]
