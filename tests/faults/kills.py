"""SIGKILLs: at random moments, as a file is being written, and at a step of the program."""

from __future__ import annotations

import importlib
import itertools
import os
import random
import signal
import time
from collections import defaultdict
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from campaign import Trial, wait_until

from study.base.files import PART

KINDS = (".", "progress", "environment", "checkpoints", "weights", "images")
KINDS += ("history", "answers", "runs")


@dataclass(eq=False)
class Kills:
    """SIGKILLs of a study's processes, half at random moments, half as a file is being written.

    Attributes
    ----------
    seed
        Of the moments.
    longest
        Seconds after which a process is killed at the latest, at random moments.
    count
        Kills that hit a running process.
    torn
        Those that left a file half written, by the folder it is in.
    """

    seed: int
    longest: float = 1.2
    count: int = 0
    torn: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def hit(self, trial: Trial, process: ForkServerProcess) -> bool:
        """Kill a process at the next moment; false if it had ended before."""
        before = trial.parts()
        if self._random.random() < 0.4:
            process.join(self._random.uniform(0.05, self.longest))
        else:
            kind = self._random.choice(KINDS)
            until = time.monotonic() + self.longest * self._random.random()
            new = {path.name for path in before}
            wait_until(
                lambda: time.monotonic() > until and _new_part(trial.out / kind, new),
                process,
                every=0.0002,  # shorter than a write, and no core's whole time
            )
        if process.exitcode is not None:
            assert process.exitcode == 0, trial.said()
            return False
        process.kill()
        process.join()
        self.count += 1
        for path in trial.parts() - before:
            self.torn[path.parent.relative_to(trial.out).as_posix()] += 1
        return True


def _new_part(folder: Path, known: set[str]) -> bool:
    try:
        return any(
            name.endswith(PART) and name not in known
            for name in os.listdir(folder)  # noqa: PTH208  # in the time of one write
        )
    except FileNotFoundError:
        return False


def die_at(step: str, number: int, after: bool) -> None:
    """Kill this process at a step's n-th time, e.g. ``study.sharing.locks:Locks.release``."""
    module, _, path = step.partition(":")
    owner_name, _, name = path.partition(".")
    owner = getattr(importlib.import_module(module), owner_name)
    done = getattr(owner, name)
    count = itertools.count(1)

    def fatal(*arguments: Any, **keywords: Any) -> Any:
        last = next(count) == number
        result = None if last and not after else done(*arguments, **keywords)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, fatal)
