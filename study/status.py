"""``python -m study.status FOLDER``: which runs are done, training, waiting or lost, by task."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from study.base.errors import BadInput
from study.records.parquet import part_columns
from study.records.reading import read_config
from study.runs.config import study_in
from study.runs.run import Run
from study.sharing.locks import claimed
from study.sharing.tasks import DONE as ENDED_WELL
from study.sharing.tasks import INTERRUPTED, TRAINING, Watch, tasks_of
from study.terminal.summary import condition_label

DONE, BAD_INPUT, STILL_TRAINING, STOPPED, STOPPED_LOOKING = 0, 2, 3, 4, 130
LOST = "lost"
ENDED = (ENDED_WELL, INTERRUPTED)
SECONDS_BETWEEN_LOOKS = 5.0
MOST_NAMED = 20  # conditions of which runs are missing
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
        The seeds of runs that have not ended and that nobody trains, by condition.
    tasks
        What each task last wrote, ``state`` replaced by ``lost`` when it is gone without a word.
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
    seconds_left: float | None

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
        """0 all done, 3 some task trains, 4 runs are left and nobody trains."""
        if sum(self.ended.values()) == self.runs:
            return DONE
        return STILL_TRAINING if any(t["state"] == TRAINING for t in self.tasks) else STOPPED


def look(folder: Path, watch: Watch | None = None) -> Status:
    """Return how far a study is.

    Parameters
    ----------
    folder
        The study's folder.
    watch
        Tells who is gone; one that has watched for a while knows of other machines, too.

    Raises
    ------
    BadInput
        No study's folder.
    """
    read_config(folder)
    study = study_in(folder)
    wanted = {run.id: run for run in study.runs}
    # In the order that what happens meanwhile can only be further than it is taken for.
    holders = claimed(folder)
    tasks = judged(folder, watch or Watch(folder))
    columns = part_columns(folder, ["run", "status", "epochs"])
    rows = {run: (status, epochs) for run, status, epochs in columns if run in wanted}
    alive = {task["task"] for task in tasks if task["state"] == TRAINING}
    held = {run: task for run, task in holders.items() if run in wanted and run not in rows}
    training = {run for run, task in held.items() if task in alive}
    missing: dict[str, list[int]] = {}
    for id_, run in wanted.items():
        if id_ not in rows and id_ not in training:
            missing.setdefault(condition_label(study.arm(run)), []).append(run.seed)
    known = [epochs for _, epochs in rows.values()]
    left = [run for id_, run in wanted.items() if id_ not in rows]
    return Status(
        name=study.name,
        runs=len(wanted),
        ended=Counter(status for status, _ in rows.values()),
        training=len(training),
        lost=len(held) - len(training),
        other=len({run for run, _, _ in columns} - wanted.keys()),
        missing=missing,
        tasks=tasks,
        seconds_left=seconds_left(left, sum(known) / len(known) if known else None, tasks),
    )


def judged(folder: Path, watch: Watch) -> list[dict[str, Any]]:
    """Return what each task last wrote, and of those that are gone without a word that."""
    return [
        {**task, "state": LOST}
        if task["state"] == TRAINING and watch.gone(name, guess=True)
        else task
        for name, task in tasks_of(folder).items()
    ]


def seconds_left(
    left: Sequence[Run], typical: float | None, tasks: Sequence[Mapping[str, Any]]
) -> float | None:
    """Guess how long it takes until all runs have ended; None when nobody trains.

    Parameters
    ----------
    left
        Runs that have not ended.
    typical
        Epochs of those that have; None when there is none: then it is the most they may take.
    tasks
        What each task last wrote.
    """
    alive = [task for task in tasks if task["state"] == TRAINING]
    rate = sum(map(rate_of, alive))
    reached = {run: epoch for task in alive for run, epoch in task["runs"].items()}
    epochs = [(typical or run.trainer.max_epochs) - reached.get(run.id, 0) for run in left]
    return sum(max(1.0, each) for each in epochs) / rate if rate else None


def rate_of(task: Mapping[str, Any]) -> float:
    """Return the epochs a second that a task has trained, over all its runs."""
    return float(task["epochs"] / task["seconds"]) if task["seconds"] else 0.0


def shown(status: Status) -> Group:
    """Return a status as a person reads it."""
    ended = ", ".join(f"{number} {name}" for name, number in sorted(status.ended.items()))
    head = [
        f"{status.name}: {sum(status.ended.values())} of {status.runs} runs done"
        + (f" ({ended})" if ended else ""),
        f"{status.training} training, {status.waiting} waiting, {status.lost} lost"
        + (f"; {status.other} recorded of earlier configs" if status.other else ""),
    ]
    if status.exit_status == STILL_TRAINING:
        head.append(f"time left: {in_words(status.seconds_left)}")
    elif status.exit_status == STOPPED:
        nobody = "nobody trains: start the same command again, it goes on"
        head.append(f"{'no task has begun yet' if status.unbegun else nobody}; missing:")
        conditions = list(status.missing.items())
        head += [f"  {label}: {seeds_in_words(seeds)}" for label, seeds in conditions[:MOST_NAMED]]
        if len(conditions) > MOST_NAMED:
            head.append(f"  and of {len(conditions) - MOST_NAMED} conditions more")
    table = Table(box=None, header_style="bold")
    headings = ("task", "where", "share", "state", "training", "recorded", "epochs/s", "epoch")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in headings[:4] else "right")
    rows = status.tasks
    if len(rows) > MOST_TASKS:
        rows = [task for task in rows if task["state"] not in ENDED]
        head.append(f"{len(status.tasks)} tasks, of which {len(status.tasks) - len(rows)} ended")
    for task in rows:
        epochs = list(task["runs"].values()) if task["state"] == TRAINING else []
        table.add_row(
            Text(task["task"]),
            Text(task["host"] + (f" job {task['job']}" if task["job"] else "")),
            task["share"],
            Text(task["state"], style="red" if task["state"] in (LOST, "failed") else ""),
            str(len(epochs)),
            str(task["ended"]),
            f"{rate_of(task):.2f}",
            f"{min(epochs)}–{max(epochs)}" if epochs else "",
        )
    return Group(*head, table)


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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    0 all runs are done, 3 some task still trains, 4 runs are left and nobody trains, 2 bad input.
    """
    parser = argparse.ArgumentParser(
        prog="python -m study.status",
        description="Say which runs are done, training, waiting or lost, and what each task does. "
        "Exit status: 0 all done, 3 still training, 4 runs left and nobody trains, 2 bad input.",
    )
    parser.add_argument("folder", type=Path, help="a study's folder")
    parser.add_argument(
        "--watch", action="store_true", help="look again until all who began have ended"
    )
    arguments = parser.parse_args(argv)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 120
    try:
        watch = Watch(arguments.folder)
        status = look(arguments.folder, watch)
        if not arguments.watch:
            console.print(shown(status))
            return status.exit_status
        with Live(shown(status), console=console, auto_refresh=False) as live:
            # A job may still wait for its turn.
            while status.exit_status == STILL_TRAINING or status.unbegun:
                time.sleep(SECONDS_BETWEEN_LOOKS)
                status = look(arguments.folder, watch)
                live.update(shown(status), refresh=True)
    except BadInput as fault:
        print(f"study.status: {fault}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return STOPPED_LOOKING
    return status.exit_status


if __name__ == "__main__":
    sys.exit(main())
