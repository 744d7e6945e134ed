"""What a stack refuses of Lightning's Trainer: flags it cannot honour, callbacks that interfere.

A stack trains many runs as one program, so a callback that stops or changes the training would do
so to every run at once. Callbacks that only observe are welcome.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterable

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BatchSizeFinder, Checkpoint, LearningRateFinder, ProgressBar

from study.base.errors import BadInput
from study.runs.run import Run

# What these hooks are given is still to be trained on, or is never made by a stack's own gradients.
STEP_HOOKS = (
    "on_train_batch_start",
    "on_train_batch_end",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "on_before_zero_grad",
)
WAY = "say when a run ends by stop.train_accuracy or stop.train_cross_entropy (stop: in a config)"

# A Trainer's flag, its value when it is not used, and what to do in place of using it.
FLAGS = (
    ("fast_dev_run", (0, False), "set trainer.max_epochs of the run to 1"),
    ("overfit_batches", (0, 0.0), "set data.train_examples of the run"),
    ("limit_train_batches", (1.0, None), "set data.train_examples of the run"),
    ("max_steps", (-1,), "set trainer.max_epochs of the run"),
    ("min_steps", (None, 0), "leave it out: the runs' stop decides"),
    ("min_epochs", (None, 0), "leave it out: the runs' stop decides"),
    ("accumulate_grad_batches", (1,), "set data.batch_size of the run"),
    ("gradient_clip_val", (None,), "set trainer.gradient_clip_val of the run"),
)


def check_trainer(trainer: pl.Trainer, run: Run) -> None:
    """Refuse a Trainer that would train a stack otherwise than its runs say, such as ``run``.

    Raises
    ------
    BadInput
        Several processes, another precision than the runs', a flag that a stack cannot honour,
        frozen parameters, or a callback that can stop or change a run.
    """
    if trainer.world_size > 1:
        raise BadInput(
            "Trainer",
            "one process (devices=1, num_nodes=1)",
            f"{trainer.world_size} processes",
            "each would train a network of its own; python -m study.fit spreads runs by --shard",
        )
    if trainer.precision != run.trainer.precision:
        expected = f"precision {run.trainer.precision}, as the run's"
        raise BadInput("Trainer", expected, trainer.precision)
    if trainer.state.fn == "fit":
        for flag, unused, instead in FLAGS:
            if (found := getattr(trainer, flag)) not in unused:
                expected = f"{flag} left out, as a step of a stack is many steps of each run"
                raise BadInput("Trainer", expected, f"{flag}={found}", instead)
        parameters = trainer.lightning_module.named_parameters()
        if frozen := ", ".join(name for name, each in parameters if not each.requires_grad):
            raise BadInput("StackModule", "parameters that all train", f"frozen {frozen}")
        for callback in _foreign(trainer):
            check_callback(callback, "Trainer.callbacks")


def check_callback(callback: pl.Callback, key: str) -> None:
    """Refuse a callback that can stop or change a run; its hooks and its code tell.

    Raises
    ------
    BadInput
        It overrides a hook of the training step, or sets attributes of the trainer or module.

    Examples
    --------
    >>> check_callback(pl.callbacks.ModelCheckpoint(), "callbacks")
    >>> check_callback(pl.callbacks.EarlyStopping("loss"), "callbacks")
    Traceback (most recent call last):
    ...
    study.base.errors.BadInput: callbacks: expected a callback that only observes, found \
'EarlyStopping'; it sets trainer.should_stop, which affects every run of a stack: say when a run \
ends by stop.train_accuracy or stop.train_cross_entropy (stop: in a config)
    """
    # Lightning gives checkpoints a class of their own: they save, after all others.
    hooks = [] if isinstance(callback, Checkpoint) else _overridden(callback, STEP_HOOKS)
    if isinstance(callback, (BatchSizeFinder, LearningRateFinder)):
        reason = "it sets what is a fact of each run"
    elif changed := _sets(callback):
        reason = f"it sets {changed}, which affects every run of a stack"
    elif hooks:
        reason = (
            f"it overrides {hooks[0]}, which is refused even if it only looks on, since one batch"
            " of a stack is many steps of every run"
        )
    else:
        return
    name = type(callback).__name__
    raise BadInput(key, "a callback that only observes", name, f"{reason}: {WAY}")


def stopped_by(trainer: pl.Trainer) -> BadInput:
    """Return the fault of a callback that stopped a stack, which only showed when it did."""
    return BadInput(
        "trainer.callbacks",
        "callbacks that only observe",
        ", ".join(type(each).__name__ for each in _foreign(trainer)),
        f"should_stop was set, and every run of the stack stopped; the state is saved: {WAY}",
    )


def _foreign(trainer: pl.Trainer) -> list[pl.Callback]:
    """Return the callbacks that may interfere: not study's own, nor Lightning's progress bars."""
    callbacks: list[pl.Callback] = vars(trainer)["callbacks"]
    return [
        callback
        for callback in callbacks
        if type(callback).__module__.partition(".")[0] != "study"
        and not isinstance(callback, ProgressBar)
    ]


def _overridden(callback: pl.Callback, hooks: Iterable[str]) -> list[str]:
    """Return which hooks a callback overrides, by its class or on the instance."""
    return [
        name
        for name in hooks
        if getattr(getattr(callback, name), "__func__", None) is not vars(pl.Callback)[name]
    ]


def _sets(callback: pl.Callback) -> str | None:
    """Return the first attribute a callback's code sets on what its methods are given."""
    for home in type(callback).__mro__:
        library = home.__module__.partition(".")[0] in (*sys.stdlib_module_names, "torch")
        if library or home in pl.Callback.__mro__:
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(home)))
        except (OSError, TypeError, SyntaxError):
            continue  # no source at hand; a stop is noticed when it happens
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.Lambda)) and (found := _set_by(node)):
                return found
    return None


def _set_by(function: ast.FunctionDef | ast.Lambda) -> str | None:
    """Return the first attribute that a function sets on a parameter other than self."""
    arguments = function.args
    parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    given = {each.arg for each in parameters} - {"self", "cls"}
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in ("setattr", "delattr") and _root(node.args[0])[0] in given:
                return ast.unparse(node)
        elif isinstance(node, (ast.Attribute, ast.Subscript)):
            root, by_attribute = _root(node)
            if by_attribute and root in given and isinstance(node.ctx, (ast.Store, ast.Del)):
                return ast.unparse(node)
    return None


def _root(node: ast.expr) -> tuple[str | None, bool]:
    """Return the name that an expression such as ``a.b[0].c()`` starts from, and if it has a dot.

    ``rows["loss"]`` has none: it fills in a dictionary.
    """
    by_attribute = False
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        by_attribute |= isinstance(node, ast.Attribute)
        node = node.func if isinstance(node, ast.Call) else node.value
    return (node.id if isinstance(node, ast.Name) else None), by_attribute
