"""Whose error it is: the machine's, a run's, or that of a callback or logger of the user's."""

from __future__ import annotations

import traceback
from types import TracebackType

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger

from study.base.errors import CodeFailed
from study.runs.run import Run


def out_of_memory(error: Exception) -> bool:
    """Tell whether an error says that memory was too small."""
    said = str(error).lower()
    # A thread whose stack does not fit the memory cannot be started.
    signs = ("can't allocate memory", "out of memory", "alloc_failed", "bad_alloc", "new thread")
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(
        sign in said for sign in signs
    )


def is_a_run_s(error: Exception) -> bool:
    """Tell whether an error in preparing or evaluating one run is that run's alone.

    What the machine lacks, others lack, too: memory, and files that cannot be read.
    """
    return not isinstance(error, OSError) and not out_of_memory(error)


def of_shared_code(run: Run, error: Exception) -> CodeFailed | None:
    """Return the fault of the user's own code that every run of a stack shares, None without any.

    A stack's loss, backward rule and activation compute all of its runs, so an error there is no
    single run's. Nor is one of an optimizer, where runs share it on a GPU.
    """
    names = [name for _, name in run.outside().values() if not name.startswith("torch.")]
    if not names:
        return None
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{place.filename}, line {place.lineno}"
    said = f"{type(error).__name__}: {error} ({where})"
    return CodeFailed(f"a stack with {', '.join(sorted(names))} raised {said}")


def of_callback(error: Exception) -> CodeFailed | None:
    """Return the fault of the callback or logger that raised an error, None when none did."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        of_study = type(owner).__module__.partition(".")[0] == "study"
        if isinstance(owner, (pl.Callback, Logger)) and not of_study:
            kind = "callbacks" if isinstance(owner, pl.Callback) else "logger"
            name = f"{type(owner).__module__}.{type(owner).__qualname__}"
            return CodeFailed(f"trainer.{kind}: {name} raised {type(error).__name__}: {error}")
        trace = trace.tb_next
    return None
