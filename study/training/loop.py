"""Trains the runs of one stack to their end, in smaller stacks when memory is short."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytorch_lightning as pl
import torch

from study.base.errors import BadInput
from study.base.interrupt import StoppedAtOnce
from study.data.prepare import DataCache
from study.runs.events import Observer
from study.runs.progress import Progress
from study.runs.run import Run
from study.training.emitter import Emitter
from study.training.failures import of_callback, of_shared_code, out_of_memory
from study.training.stack import Stack
from study.training.stack_data import StackData
from study.training.stack_module import StackModule
from study.training.trainer import make_trainer


def train_stack(
    more: Iterator[Progress],
    size: int,
    cache: DataCache,
    routes: Callable[[Run], Mapping[str, str]],
    observers: Sequence[Observer],
    measures: Sequence[str],
    *,
    keep_predictions: bool,
) -> bool:
    """Train runs of one program, so many at a time, until all of them have ended.

    Parameters
    ----------
    more, size
        The runs, each asked for when a slot of the stack is about to be free, and its slots.
    routes
        Gives how a run's matrix products are to be computed on a CPU.
    measures, keep_predictions
        As of `study.Study`.

    Returns
    -------
    bool
        Whether all ended; false when an observer stopped the training.

    Raises
    ------
    StoppedAtOnce, CodeFailed
        As of `fit`.
    """
    slots = [progress for _, progress in zip(range(size), more, strict=False)]
    if not slots:
        return True
    stack = Stack(slots, more=more, keep_going=True)
    data = StackData(stack, cache)
    module = StackModule(stack, routes, measures, keep_predictions=keep_predictions)
    trainer = make_trainer(stack.first, [Emitter(module, data, observers)])
    fit(trainer, module, data, stack.first)
    return stack.done


def fit(
    trainer: pl.Trainer, module: pl.LightningModule, data: pl.LightningDataModule, run: Run
) -> None:
    """Fit, and say whose error it is that ends the training; ``run`` is any of those trained.

    Raises
    ------
    StoppedAtOnce
        A signal came before an observer took it over.
    CodeFailed
        A callback or logger of the user's raised an error.
    """
    try:
        trainer.fit(module, data)
    except SystemExit:  # Lightning's way out on a signal
        raise StoppedAtOnce from None
    except Exception as error:
        if isinstance(error, (BadInput, OSError)) or out_of_memory(error):
            raise
        raise of_callback(error) or of_shared_code(run, error) or error from None


def in_memory(train: Callable[[int], None], size: int, say: Callable[[str], None]) -> None:
    """Train so many runs at once, and fewer, with a line, when they do not fit the memory.

    Raises
    ------
    MemoryError
        One run alone does not fit.
    """
    while True:
        try:
            return train(size)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            if size == 1:
                raise MemoryError(f"out of memory with one run: {error}") from None
        # Outside the handler, whose traceback holds on to the stack that did not fit.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        say(f"out of memory with {size} runs at once: trying {size // 2}")
        size //= 2
