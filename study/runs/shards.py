"""Shards: the share of a study's runs that each of several tasks begins with."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from study.base.errors import BadInput
from study.runs.packing import by_program
from study.runs.run import Run
from study.runs.study import MOST_RUNS


class Shard(NamedTuple):
    """Share ``number`` of ``of``, counted from 1.

    Attributes
    ----------
    exact
        Whether the task trains this share and nothing else; otherwise it begins with the share.
    """

    number: int = 1
    of: int = 1
    exact: bool = False

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def take(self, runs: Sequence[Run]) -> list[Run]:
        """Return this share of the runs; shares have equal sizes and whole stacks where possible.

        Examples
        --------
        >>> runs = [Run(seed=seed) for seed in range(5)]
        >>> [[run.seed for run in Shard(k, 2).take(runs)] for k in (1, 2)]
        [[1, 3], [0, 2, 4]]
        """
        ends = [len(runs) * k // self.of for k in range(self.of + 1)]
        taken: list[Run] = []
        at = 0
        for group in by_program(runs):
            end = at + len(group)
            sizes = [max(0, min(b, end) - max(a, at)) for a, b in itertools.pairwise(ends)]
            taken += _dealt(group, sizes, self.number - 1)
            at = end
        return taken

    def order(self, runs: Sequence[Run]) -> list[Run]:
        """Return the runs that a task of this share may train: first those of its share.

        The others follow from a place that is the share's own, so that tasks that have trained
        their shares seldom look for the same run.
        """
        mine = self.take(runs)
        if self.exact:
            return mine
        own = {run.id for run in mine}
        rest = [run for run in runs if run.id not in own]
        at = len(rest) * self.number // self.of
        return [*mine, *rest[at:], *rest[:at]]


def _dealt(runs: Sequence[Run], sizes: Sequence[int], place: int) -> list[Run]:
    """Deal runs to places, ``sizes`` to each, and return the runs of one place.

    Runs are dealt like cards, so that seeds added later go to all places. The seeds of each arm
    are dealt in turn, so that each place has seeds of every arm.
    """
    turns = sorted(((i + 0.5) / size, at) for at, size in enumerate(sizes) for i in range(size))
    before: Counter[int] = Counter()
    arms = []
    for run in runs:
        arms.append(before[run.seed])
        before[run.seed] += 1
    order = sorted(range(len(runs)), key=arms.__getitem__)
    mine = sorted(i for i, (_, at) in zip(order, turns, strict=True) if at == place)
    return [runs[i] for i in mine]


def parse(text: str) -> Shard:
    """Read ``k/n``.

    Raises
    ------
    BadInput
        The text has another form, or k is not from 1 to n.
    """
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]) <= MOST_RUNS:
        raise BadInput("--shard", f"k/n with k from 1 to n, n at most {MOST_RUNS}, e.g. 1/4", text)
    return Shard(int(found[1]), int(found[2]), exact=True)


def from_environment(environment: Mapping[str, str] = os.environ) -> Shard:
    """Return this process's share among all processes that srun starts in a Slurm array.

    Outside Slurm the share is everything. So it is when only some tasks of an array are submitted
    again, with unevenly spaced numbers: locks then divide the runs between the tasks.

    Examples
    --------
    >>> array = {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_COUNT": "3",
    ...          "SLURM_ARRAY_TASK_MIN": "4", "SLURM_ARRAY_TASK_MAX": "6"}
    >>> str(from_environment(array))
    '2/3'
    >>> str(from_environment({**array, "SLURM_PROCID": "1", "SLURM_NTASKS": "2"}))
    '4/6'
    """
    number = {key: int(text) for key, text in environment.items() if text.isdecimal()}
    tasks = number.get("SLURM_ARRAY_TASK_COUNT", 1)
    first = number.get("SLURM_ARRAY_TASK_MIN", 0)
    last = number.get("SLURM_ARRAY_TASK_MAX", first + tasks - 1)
    step = max((last - first) // max(tasks - 1, 1), 1)
    task, beside = divmod(number.get("SLURM_ARRAY_TASK_ID", first) - first, step)
    # A batch script is one process, however many processes srun would start.
    alone = "SLURM_JOB_ID" in environment and "SLURM_STEP_ID" not in environment
    processes = 1 if alone else number.get("SLURM_STEP_NUM_TASKS", number.get("SLURM_NTASKS", 1))
    process = 0 if alone else number.get("SLURM_PROCID", 0)
    # With unevenly spaced numbers, some shares would belong to no task.
    even = not beside and last - first == step * (tasks - 1)
    if not (even and 0 <= task < tasks and 0 <= process < processes):
        return Shard()
    return Shard(task * processes + process + 1, tasks * processes)
