"""Estimates the training time left by extrapolating the runs' curves to the epoch where they stop.

A run that stops once it fits takes longer the harder its labels are: 15 epochs or 90. Two of its
curves are nearly straight lines over the epochs: the log odds of the training accuracy, which
flatten near the end, and the logarithm of the cross-entropy, which is flat at the beginning. Both
are extrapolated from the later half of the epochs. The estimate is their geometric mean, because
where one is too long the other is too short.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from study.runs.packing import core_seconds
from study.runs.progress import FAILED, TRAINING, Progress
from study.runs.run import Run

# Chosen on the curves of tests/terminal/curves.csv (mnist5k). From a tenth to nine tenths of a
# study's time, the estimate is within a factor of 1.4 of the true time left. On digits, which were
# not used for the choice, the estimate was up to 2.3 times too long.
LEFT_WRONG = 2.0  # wrong examples that count as none when extrapolating to an accuracy of 1
LOSS_TO_ODDS = 0.5  # the cross-entropy falls as the odds to this power
FLATTENING, WHILE = 1.3, (0.8, 0.99)  # the odds rise more slowly after these accuracies
EPOCHS_TO_TELL = 3


class Forecast(NamedTuple):
    """The cost of the epochs trained in this process and of those left, in seconds of one core.

    Attributes
    ----------
    at_most
        Whether ``left`` is only an upper bound.
    """

    done: float
    left: float
    at_most: bool

    def seconds(self, elapsed: float) -> float | None:
        """Return the seconds still needed; None when nothing has been trained yet."""
        return elapsed * self.left / self.done if self.done > 0 else None


def forecast(
    arms: Iterable[tuple[Sequence[Progress], Sequence[Run]]], share: float = 0.0
) -> Forecast:
    """Estimate the cost left for arms, each with runs that have begun and runs that wait.

    ``share`` of the present epoch is done.
    """
    parts = [_of_arm(*arm, share) for arm in arms]
    done, left = sum(part.done for part in parts), sum(part.left for part in parts)
    return Forecast(done, left, any(part.at_most for part in parts))


def _of_arm(runs: Sequence[Progress], waiting: Sequence[Run], share: float) -> Forecast:
    first = runs[0].run if runs else waiting[0]
    longest = float(first.trainer.max_epochs)
    ended = [float(each.epoch) for each in runs if each.status not in (TRAINING, FAILED)]
    guesses = {each.run.id: _length(each, ended) for each in runs if each.training}
    told = ended + [guess for guess in guesses.values() if guess is not None]
    # A run without a curve is taken to need its arm's mean, or else the most epochs allowed.
    typical = sum(told) / len(told) if told else longest
    done = float(sum(each.epoch - each.resumed_at for each in runs))
    left = len(waiting) * typical
    for each in runs:
        if each.training:
            guess = guesses[each.run.id]
            still = max(1.0, min(typical if guess is None else guess, longest) - each.epoch)
            now = min(share, still)
            done, left = done + now, left + still - now
    cost = core_seconds([first]) / longest
    return Forecast(cost * done, cost * left, at_most=not told and _stops(first))


def _stops(run: Run) -> bool:
    """Return whether a run may end before its last epoch."""
    return run.stop.train_accuracy is not None or run.stop.train_cross_entropy is not None


def _length(progress: Progress, ended: Sequence[float]) -> float | None:
    """Estimate a run's last epoch; ``ended`` has the last epochs of its arm's ended runs."""
    if not _stops(progress.run):
        return float(progress.run.trainer.max_epochs)
    still = epochs_to_stop(progress)
    typical = sum(ended) / len(ended) if ended else 0.0
    if still is not None and typical > progress.epoch:
        # Runs that have not ended yet tend to be slower.
        still = max(typical - progress.epoch, still / 2)
    return None if still is None else progress.epoch + still


def epochs_to_stop(progress: Progress) -> float | None:
    """Return the epochs a run still needs, extrapolated; None when its curves are too short."""
    rows = [row for row in progress.history if row["epoch"] > 0]
    if progress.epoch < EPOCHS_TO_TELL or len(rows) < 2:
        return None
    since = min(progress.epoch / 2, rows[-2]["epoch"])
    rows = [row for row in rows if row["epoch"] >= since]
    epochs = [float(row["epoch"]) for row in rows]
    losses = [-math.log(max(row["train_cross_entropy"], 1e-300)) for row in rows]
    stop = progress.run.stop
    guesses = []
    if stop.train_accuracy is not None:
        examples = progress.run.data.examples
        bound = min(0.5, LEFT_WRONG / examples)
        goal = _odds(min(stop.train_accuracy, 1 - bound), bound)
        odds = [_odds(row["train_accuracy"], 0.5 / examples) for row in rows]
        by_odds = _until(goal, epochs, odds)
        by_loss = _until(LOSS_TO_ODDS * goal, epochs, losses)
        slower = FLATTENING if WHILE[0] < rows[-1]["train_accuracy"] < WHILE[1] else 1.0
        guesses.append(slower * math.sqrt(by_odds * by_loss))
    if stop.train_cross_entropy is not None:
        guesses.append(_until(-math.log(stop.train_cross_entropy), epochs, losses))
    # The last evaluation may be some epochs ago.
    return max(1.0, max(guesses) - (progress.epoch - epochs[-1]))


def _odds(accuracy: float, bound: float) -> float:
    """Return the log odds of an accuracy clamped to [``bound``, 1 - ``bound``]."""
    kept = min(max(accuracy, bound), 1 - bound)
    return math.log(kept / (1 - kept))


def _until(goal: float, epochs: Sequence[float], values: Sequence[float]) -> float:
    """Return the epochs until the least-squares line through the values reaches a goal."""
    slope, start = statistics.linear_regression(epochs, values)
    now = start + slope * epochs[-1]
    if goal <= now:
        return 1.0
    return max(1.0, (goal - now) / slope) if slope > 1e-9 else 1e9
