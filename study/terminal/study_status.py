"""A study's status as text: its runs by state, its tasks, the time left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group

from study.terminal.folded_tables import Column, Tables

DONE, STILL_TRAINING, STOPPED = 0, 3, 4
TRAINING, LOST, FAILED = "training", "lost", "failed"  # states of a task; a run may be failed, too
ENDED = ("done", "interrupted")
MOST_NAMED = 20  # arms with missing runs that are listed
MOST_TASKS = 40  # with more tasks, ended ones are only counted


@dataclass(frozen=True)
class Status:
    """The status of a study.

    Attributes
    ----------
    name
        The study's name.
    runs
        Number of runs in the study's config.
    ended
        Number of ended runs by ``status``, from the records.
    training
        Number of runs that a living task trains.
    lost
        Number of runs that a dead task had begun; the next start goes on with them.
    other
        Number of recorded runs of earlier configs.
    missing
        Seeds of runs that have not ended and that no task trains, by arm.
    tasks
        The content of each task's file; ``state`` is ``lost`` for a task that died.
    queued
        The array tasks that wait in Slurm's queue.
    seconds_left
        An estimate from the rate of the living tasks; None when no task lives.
    """

    name: str
    runs: int
    ended: Mapping[str, int]
    training: int
    lost: int
    other: int
    missing: Mapping[str, Sequence[int]]
    tasks: Sequence[Mapping[str, Any]]
    queued: Sequence[str]
    seconds_left: float | None

    @property
    def failed(self) -> int:
        """Number of failed runs; the next start trains them again."""
        return self.ended.get(FAILED, 0)

    @property
    def waiting(self) -> int:
        """Number of runs that no task has begun."""
        return self.runs - sum(self.ended.values()) - self.training - self.lost

    @property
    def unbegun(self) -> bool:
        """Whether no task has begun yet."""
        return not self.tasks and not self.ended and self.exit_status == STOPPED

    @property
    def exit_status(self) -> int:
        """0 all runs done, 3 a task trains, 4 runs are left or failed and no task trains."""
        if sum(self.ended.values()) == self.runs and not self.failed:
            return DONE
        works = self.queued or any(task["state"] == TRAINING for task in self.tasks)
        return STILL_TRAINING if works else STOPPED


def shown(status: Status) -> Group:
    """Return a status as text and a table of tasks."""
    done = {name: number for name, number in sorted(status.ended.items()) if name != FAILED}
    ended = ", ".join(f"{number} {name}" for name, number in done.items())
    head = [
        f"{status.name}: {sum(done.values())} of {status.runs} runs done"
        + (f" ({ended})" if ended else ""),
        f"{status.training} training, {status.waiting} waiting, {status.lost} lost"
        + (f"; {status.other} recorded of earlier configs" if status.other else ""),
    ]
    if status.failed:
        head.append(f"{status.failed} failed: the next start of the same command trains them again")
    if status.queued:
        head.append(f"waiting in Slurm's queue: {', '.join(status.queued)}")
    if status.exit_status == STILL_TRAINING:
        head.append(f"time left: {in_words(status.seconds_left)}")
    elif status.exit_status == STOPPED and status.missing:
        nobody = "no task trains: start the same command again to go on"
        head.append(f"{'no task has begun yet' if status.unbegun else nobody}; missing:")
        arms = list(status.missing.items())
        head += [f"  {label}: {seeds_in_words(seeds)}" for label, seeds in arms[:MOST_NAMED]]
        if len(arms) > MOST_NAMED:
            head.append(f"  and {len(arms) - MOST_NAMED} more arms")
    rows = status.tasks
    if len(rows) > MOST_TASKS:
        rows = [task for task in rows if task["state"] not in ENDED]
        head.append(f"{len(status.tasks)} tasks, of which {len(status.tasks) - len(rows)} ended")
    return Group(*head, _tasks(rows))


def _tasks(tasks: Sequence[Mapping[str, Any]]) -> Tables:
    """Return tables of tasks, labelled with their host and Slurm job."""
    labels = [
        [task["task"], task["host"], *([f"job {task['job']}"] if task["job"] else [])]
        for task in tasks
    ]
    epochs = [list(task["runs"].values()) if task["state"] == TRAINING else [] for task in tasks]
    columns = [
        Column("share", [task["share"] for task in tasks], justify="left"),
        Column("state", [task["state"] for task in tasks], "red", (LOST, FAILED), "left"),
        Column("training", [str(len(each)) for each in epochs]),
        Column("recorded", [str(task["ended"]) for task in tasks]),
        Column("epochs/s", [f"{rate_of(task):.2f}" for task in tasks]),
        Column("epoch", [f"{min(each)}–{max(each)}" if each else "" for each in epochs]),
    ]
    return Tables("task", labels, [columns], separator=" ")


def seeds_in_words(seeds: Sequence[int]) -> str:
    """Return seeds as ranges.

    Examples
    --------
    >>> seeds_in_words([0, 1, 2, 5, 8, 9])
    'seeds 0–2, 5, 8–9'
    """
    ranges: list[list[int]] = []
    for seed in sorted(seeds):
        if ranges and seed == ranges[-1][-1] + 1:
            ranges[-1][1:] = [seed]
        else:
            ranges.append([seed])
    return "seeds " + ", ".join("–".join(map(str, each)) for each in ranges)


def in_words(seconds: float | None) -> str:
    """Return a time in hours and minutes."""
    if seconds is None:
        return "not known yet"
    minutes = round(seconds / 60)
    return f"about {minutes // 60} h {minutes % 60:02d} min" if minutes else "less than a minute"


def rate_of(task: Mapping[str, Any]) -> float:
    """Return a task's epochs per second, over all its runs."""
    return float(task["epochs"] / task["seconds"]) if task["seconds"] else 0.0
