"""What a person sees while a study trains: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from study.runs.events import LiveStack, Observer
from study.runs.progress import DIVERGED, FINISHED, FITTED, TRAINING, Progress
from study.runs.study import Study
from study.terminal.summary import condition_label

SECONDS_BETWEEN_LINES = 10.0


class Display(Observer):
    """Shows epochs, runs by status, accuracy by condition, and the time left.

    Parameters
    ----------
    study
        The study that trains.
    runs
        How many runs are to be trained now.
    console
        Where to show it; a live table if that is a terminal.
    """

    def __init__(self, study: Study, runs: int, console: Console) -> None:
        self.study, self.runs, self.console = study, runs, console
        self._taken_up: dict[str, Progress] = {}
        self._batches = 0.0
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._began = self._shown = time.monotonic()

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.update(self.table(), refresh=True)
            self._live.stop()

    def stack_began(self, stack: LiveStack) -> None:
        """Take in another stack's runs, but not the stack, which may be large."""
        self._taken_up.update({each.run.id: each for each in stack.taken_up})

    @property
    def slots(self) -> list[Progress]:
        """The runs that have been taken up, in all stacks so far; one taken up again, as last."""
        return list(self._taken_up.values())

    def epoch_began(self, stack: LiveStack) -> None:
        """Show how far everything has come."""
        self.stack_began(stack)
        self._batches = 0.0
        if self._live:
            self._live.update(self.table(), refresh=True)
        elif time.monotonic() - self._shown >= SECONDS_BETWEEN_LINES:
            self._shown = time.monotonic()
            self.console.print(self.line(), markup=False, highlight=False, soft_wrap=True)

    def epoch_ended(self, stack: LiveStack) -> None:
        """Take in runs that came into the stack meanwhile."""
        self.stack_began(stack)

    def batch_ended(self, stack: LiveStack, share: float) -> None:
        """Move the bar inside long epochs."""
        if self._live and time.monotonic() - self._shown >= 0.25:
            self._shown = time.monotonic()
            self._batches = share
            self._live.update(self.table(), refresh=True)

    def counts(self, slots: Sequence[Progress]) -> dict[str, int]:
        """Return how many of some runs are in each status."""
        counts = dict.fromkeys((TRAINING, FITTED, FINISHED, DIVERGED), 0)
        for slot in slots:
            counts[slot.status] += 1
        return counts

    def fraction(self) -> float:
        """Return the share of the expected epochs that is done."""
        expected = self._expected_epochs()
        active = sum(slot.training for slot in self.slots)
        done = sum(slot.epoch for slot in self.slots) + self._batches * active
        return min(done / expected, 1.0) if expected else 0.0

    def _expected_epochs(self) -> float:
        """Guess all runs' epochs: a condition's ended runs tell of its others."""
        total, known = 0.0, 0
        for slots in self._by_condition().values():
            ended = [slot.epoch for slot in slots if not slot.training]
            guess = sum(ended) / len(ended) if ended else None
            for slot in slots:
                longest = slot.run.trainer.max_epochs
                if not slot.training:
                    total += slot.epoch
                else:
                    total += max(slot.epoch + 1, longest if guess is None else guess)
            known += len(slots)
        return total * (self.runs / known) if known else 0.0

    def time_left(self) -> str:
        """Return a guess in words, from the rate so far."""
        done = sum(slot.epoch - slot.resumed_at for slot in self.slots)
        left = self._expected_epochs() * (1 - self.fraction())
        if done <= 0:
            return "time left not known yet"
        seconds = int(left * (time.monotonic() - self._began) / done)
        return f"about {seconds // 60}:{seconds % 60:02d} left"

    def _by_condition(self) -> dict[str, list[Progress]]:
        groups: dict[str, list[Progress]] = {}
        for slot in self.slots:
            groups.setdefault(condition_label(self.study.arm(slot.run)), []).append(slot)
        return groups

    def line(self) -> str:
        """Return one line that says it all."""
        counts = self.counts(self.slots)
        waiting = self.runs - len(self.slots)
        said = [f"{counts[TRAINING] + waiting} runs training"]
        said += [f"{counts[status]} {status}" for status in (FITTED, FINISHED, DIVERGED)]
        parts = [f"epoch {max((slot.epoch for slot in self.slots), default=0)}", ", ".join(said)]
        for label, slots in self._by_condition().items():
            train, test = accuracies(slots)
            parts.append(f"{label} train {train} test {test}")
        return "; ".join([*parts, self.time_left()])

    def table(self) -> Group:
        """Return the live table."""
        table = Table(box=None, header_style="bold")
        headings = ("condition", "epoch", "training", "fitted", "finished", "diverged")
        for heading in (*headings, "train acc.", "test acc."):
            table.add_column(heading, justify="left" if heading == "condition" else "right")
        for label, slots in self._by_condition().items():
            counts = self.counts(slots)
            train, test = accuracies(slots)
            epochs = f"{min(s.epoch for s in slots)}–{max(s.epoch for s in slots)}"
            table.add_row(
                Text(label),
                epochs,
                str(counts[TRAINING]),
                Text(str(counts[FITTED]), style="green"),
                str(counts[FINISHED]),
                Text(str(counts[DIVERGED]), style="red" if counts[DIVERGED] else ""),
                train,
                test,
            )
        bar = ProgressBar(total=1.0, completed=self.fraction(), width=40)
        elapsed = int(time.monotonic() - self._began)
        note = Text(f"{elapsed // 60}:{elapsed % 60:02d} gone, {self.time_left()}", style="dim")
        foot = Table.grid(padding=(0, 1))
        foot.add_row(bar, note)
        return Group(table, foot)


def accuracies(slots: Sequence[Progress]) -> tuple[str, str]:
    """Return mean train and test accuracy at the last evaluation of some runs, as percentages."""
    rows: list[Mapping[str, float]] = [slot.history[-1] for slot in slots if slot.history]
    if not rows:
        return "–", "–"
    means = [sum(row[f"{part}_accuracy"] for row in rows) / len(rows) for part in ("train", "test")]
    return f"{means[0]:.1%}", f"{means[1]:.1%}"
