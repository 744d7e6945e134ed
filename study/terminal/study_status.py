"""How far a study is, as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group

from study.terminal.folded_tables import Column, Tables

DONE, STILL_TRAINING, STOPPED = 0, 3, 4
TRAINING, LOST, FAILED = "training", "lost", "failed"  # of a task; the last of a run, too
ENDED = ("done", "interrupted")
MOST_NAMED = 20  # arms of which runs are missing
MOST_TASKS = 40  # and those that ended are only counted


@dataclass(frozen=True)
class Status:
    """How far a study is.

    Attributes
    ----------
    name
        The study's name.
    runs
        How many runs its config has.
    ended
        How many of them ended, by ``status`` as the records have it.
    training
        How many a living task trains.
    lost
        How many a task that is gone had begun; the next start goes on with them.
    other
        How many runs of earlier configs are recorded beside.
    missing
        The seeds of runs that have not ended and that nobody trains, by arm.
    tasks
        What each task last wrote, ``state`` replaced by ``lost`` when it is gone without a word.
    queued
        The array tasks that wait in Slurm's queue.
    seconds_left
        A guess from the rate of the tasks that live; None when none does.
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
        """How many runs failed; the next start trains them again."""
        return self.ended.get(FAILED, 0)

    @property
    def waiting(self) -> int:
        """How many runs nobody has begun."""
        return self.runs - sum(self.ended.values()) - self.training - self.lost

    @property
    def unbegun(self) -> bool:
        """Whether no task has begun yet."""
        return not self.tasks and not self.ended and self.exit_status == STOPPED

    @property
    def exit_status(self) -> int:
        """0 all done, 3 some task trains, 4 runs are left, or failed, and nobody trains."""
        if sum(self.ended.values()) == self.runs and not self.failed:
            return DONE
        works = self.queued or any(task["state"] == TRAINING for task in self.tasks)
        return STILL_TRAINING if works else STOPPED


def shown(status: Status) -> Group:
    """Return a status as a person reads it."""
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
        nobody = "nobody trains: start the same command again, it goes on"
        head.append(f"{'no task has begun yet' if status.unbegun else nobody}; missing:")
        arms = list(status.missing.items())
        head += [f"  {label}: {seeds_in_words(seeds)}" for label, seeds in arms[:MOST_NAMED]]
        if len(arms) > MOST_NAMED:
            head.append(f"  and of {len(arms) - MOST_NAMED} arms more")
    rows = status.tasks
    if len(rows) > MOST_TASKS:
        rows = [task for task in rows if task["state"] not in ENDED]
        head.append(f"{len(status.tasks)} tasks, of which {len(status.tasks) - len(rows)} ended")
    return Group(*head, _tasks(rows))


def _tasks(tasks: Sequence[Mapping[str, Any]]) -> Tables:
    """Return tables of tasks, each with where it is."""
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
    """Return the epochs a second that a task has trained, over all its runs."""
    return float(task["epochs"] / task["seconds"]) if task["seconds"] else 0.0
