"""Shows a study's progress while it trains: live tables on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from study.runs.events import LiveStack, Observer
from study.runs.progress import DIVERGED, FAILED, FINISHED, FITTED, TRAINING, Progress
from study.runs.run import Run
from study.runs.study import Study
from study.terminal.arms import by_arm
from study.terminal.folded_tables import Column, Tables
from study.terminal.forecast import Forecast, forecast

SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_PICTURES = 0.25
STYLES = {FITTED: "green", FINISHED: "", DIVERGED: "red", FAILED: "red"}
Arm = tuple[str, ...]


class Display(Observer):
    """Shows epochs, runs by status, accuracy by arm, and the time left of what it may train.

    A console that is a terminal gets live tables.
    """

    def __init__(self, study: Study, runs: Sequence[Run], console: Console) -> None:
        self.runs, self.console = runs, console
        self._arms = by_arm(study, runs)
        self._taken_up: dict[str, Progress] = {}
        self._batches = 0.0
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._began: float | None = None
        self._shown = time.monotonic()

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.update(self.tables(), refresh=True)
            self._live.stop()

    def stack_began(self, stack: LiveStack) -> None:
        """Note the stack's runs, but keep no reference to the stack, which may be large."""
        self._taken_up.update({each.run.id: each for each in stack.taken_up})
        self._began = time.monotonic() if self._began is None else self._began

    def epoch_began(self, stack: LiveStack) -> None:
        """Show the progress of all runs."""
        self.stack_began(stack)
        self._batches = 0.0
        if self._live:
            self._picture()
        elif time.monotonic() - self._shown >= SECONDS_BETWEEN_LINES:
            self._shown = time.monotonic()
            self.console.print(self.line(), markup=False, highlight=False, soft_wrap=True)

    def epoch_ended(self, stack: LiveStack) -> None:
        """Note runs that joined the stack in this epoch."""
        self.stack_began(stack)

    def batch_ended(self, stack: LiveStack, share: float) -> None:
        """Move the bar inside long epochs."""
        self._batches = share
        self._picture()

    def _picture(self) -> None:
        if self._live and time.monotonic() - self._shown >= SECONDS_BETWEEN_PICTURES:
            self._shown = time.monotonic()
            self._live.update(self.tables(self.console.size.height), refresh=True)

    def forecast(self) -> Forecast:
        """Estimate the work that is left."""
        begun = self._begun()
        arms = [
            (begun[arm], [run for run in runs if run.id not in self._taken_up])
            for arm, runs in self._arms.items()
        ]
        return forecast(arms, self._batches)

    def time_left(self, foreseen: Forecast) -> str:
        """Return the estimated time left in words, from the rate so far."""
        seconds = foreseen.seconds(time.monotonic() - (self._began or 0.0))
        if self._began is None or seconds is None:
            return "time left not known yet"
        return f"{'at most' if foreseen.at_most else 'about'} {clock(seconds)} left"

    def _begun(self) -> dict[Arm, list[Progress]]:
        """Return the runs of each arm that have begun."""
        begun = self._taken_up
        return {
            arm: [begun[run.id] for run in runs if run.id in begun]
            for arm, runs in self._arms.items()
        }

    def line(self) -> str:
        """Return all progress as one line."""
        begun = self._taken_up.values()
        counts = Counter(each.status for each in begun)
        waiting = len(self.runs) - len(begun)
        said = [f"{counts[TRAINING] + waiting} runs training"]
        said += [f"{counts[s]} {s}" for s in STYLES if counts[s] or s != FAILED]
        parts = [f"epoch {max((each.epoch for each in begun), default=0)}", ", ".join(said)]
        for arm, members in self._begun().items():
            if members:
                train, test = accuracies(members)
                parts.append(f"{', '.join(arm)} train {train} test {test}")
        return "; ".join([*parts, self.time_left(self.forecast())])

    def tables(self, height: int | None = None) -> Group:
        """Return the live tables with the arms that fit ``height``; training arms have priority."""
        foot = self._foot()
        arms = {arm: members for arm, members in self._begun().items() if members}
        order = sorted(arms, key=lambda arm: not any(each.training for each in arms[arm]))
        shown = len(order)
        while True:
            chosen = {arm: arms[arm] for arm in arms if arm in set(order[:shown])}
            left_out = len(arms) - shown
            note = [Text(f"and {left_out} more arms", style="dim")] if left_out else []
            picture = Group(_of_arms(chosen), *note, foot)
            lines = len(self.console.render_lines(picture, pad=False))
            if height is None or lines <= height or shown <= 1:
                return picture
            shown = max(1, min(shown - 1, shown * height // lines))

    def _foot(self) -> RenderableType:
        foreseen = self.forecast()
        whole = foreseen.done + foreseen.left
        done = foreseen.done / whole if whole else 0.0
        gone = clock(time.monotonic() - self._began if self._began is not None else 0.0)
        note = Text(f"{gone} gone, {self.time_left(foreseen)}", style="dim")
        foot = Table.grid(padding=(0, 1))
        foot.add_row(ProgressBar(total=1.0, completed=done, width=30), note)
        return foot


def _of_arms(arms: Mapping[Arm, Sequence[Progress]]) -> Tables:
    """Return tables of some arms, with a column for each status that occurs."""
    counts = [Counter(each.status for each in members) for members in arms.values()]
    epochs = [sorted({each.epoch for each in members}) for members in arms.values()]
    reached = ["–".join(map(str, dict.fromkeys((each[0], each[-1])))) for each in epochs]
    means = [accuracies(members) for members in arms.values()]
    columns = [
        Column("epoch", reached),
        Column("train acc.", [train for train, _ in means]),
        Column("test acc.", [test for _, test in means]),
    ]
    ends = [Column(TRAINING, [str(count[TRAINING]) for count in counts])]
    ends += [
        Column(status, [str(count[status]) for count in counts], style)
        for status, style in STYLES.items()
        if any(count[status] for count in counts)
    ]
    return Tables("arm", list(arms), [columns, ends])


def clock(seconds: float) -> str:
    """Return a time in minutes and seconds, or hours.

    Examples
    --------
    >>> clock(61.7), clock(7_380)
    ('1:01', '2 h 03 min')
    """
    minutes = int(seconds) // 60
    if minutes < 60:
        return f"{minutes}:{int(seconds) % 60:02d}"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def accuracies(runs: Sequence[Progress]) -> tuple[str, str]:
    """Return the runs' mean train and test accuracy at their last evaluation, as percentages."""
    rows: list[Mapping[str, float]] = [each.history[-1] for each in runs if each.history]
    if not rows:
        return "–", "–"
    means = [sum(row[f"{part}_accuracy"] for row in rows) / len(rows) for part in ("train", "test")]
    return f"{means[0]:.1%}", f"{means[1]:.1%}"
