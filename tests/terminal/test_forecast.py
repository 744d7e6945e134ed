"""The time left, held to the truth on studies whose runs have recorded curves.

curves.csv has the train accuracy and cross-entropy of every epoch at eleven levels of label noise,
two seeds each, trained to fit on all 4,000 training images.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from study.runs.command_line import read
from study.runs.progress import FITTED, Progress
from study.runs.run import Run
from study.runs.study import Study
from study.terminal.arms import by_arm
from study.terminal.forecast import Forecast, epochs_to_stop, forecast

CONFIGS = Path(__file__).parents[2] / "configs"
EXAMPLES = 4_000
LEVELS = ["--seeds", "8", "--vary"]
LEVELS.append("{data.label_noise: [0, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1]}")
Curve = list[tuple[float, float]]


def recorded() -> dict[tuple[float, int], Curve]:
    """Return the curve of each noise and seed, an accuracy and a cross-entropy an epoch."""
    curves: dict[tuple[float, int], Curve] = {}
    with (Path(__file__).parent / "curves.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            point = (float(row["train_accuracy"]), float(row["train_cross_entropy"]))
            curves.setdefault((float(row["label_noise"]), int(row["seed"])), []).append(point)
    return curves


CURVES = recorded()


def stretched(curve: Curve, factor: float) -> Curve:
    """Return a curve as a seed that fits a little earlier or later would have it."""
    accuracy, loss = np.array(curve).T
    last = len(curve) - 1
    epochs = max(2, round(last * factor))
    at = np.arange(epochs + 1) * last / epochs
    right = np.round(np.interp(at, np.arange(last + 1), accuracy) * EXAMPLES) / EXAMPLES
    right[:-1] = np.minimum(right[:-1], 1 - 1 / EXAMPLES)
    losses = np.exp(np.interp(at, np.arange(last + 1), np.log(loss)))
    return list(zip(right.tolist(), losses.tolist(), strict=True))


def curve_of(run: Run, spread: float = 0.05) -> Curve:
    """Return the curve of a run: of its noise, and stretched by its seed."""
    factor = 1 + spread * np.random.default_rng(run.seed).standard_normal()
    return stretched(CURVES[run.data.label_noise, run.seed % 2], float(factor))


def at(progress: Progress, epoch: int, curve: Curve) -> None:
    """Let a run be at an epoch, evaluated when it is due."""
    progress.epoch = epoch
    accuracy, loss = curve[min(epoch, len(curve) - 1)]
    if progress.due or accuracy == 1:
        row = {"epoch": epoch, "train_accuracy": accuracy, "train_cross_entropy": loss}
        progress.history.append(row)
    stops = progress.run.stop.train_accuracy is not None
    last = len(curve) - 1 if stops else progress.run.trainer.max_epochs
    if epoch >= last:
        progress.status = FITTED


def trained(study: Study, slots: int) -> Iterator[tuple[float, float, Forecast]]:
    """Train a study, an epoch of a run in a second; yield its seconds, those left, and a guess."""
    arms = by_arm(study, study.runs)
    curves = {run.id: curve_of(run) for run in study.runs}
    taken: dict[str, Progress] = {}
    queue, clock, said = list(study.runs), 0.0, []
    while True:
        active = [each for each in taken.values() if each.training]
        for run in queue[: slots - len(active)]:
            taken[run.id] = Progress(run)
            active.append(taken[run.id])
            at(taken[run.id], 0, curves[run.id])
        queue = [run for run in queue if run.id not in taken]
        if not active:
            break
        for each in active:
            at(each, each.epoch + 1, curves[each.run.id])
        clock += len(active)
        guess = forecast(
            (
                [taken[run.id] for run in runs if run.id in taken],
                [run for run in runs if run.id not in taken],
            )
            for runs in arms.values()
        )
        said.append((clock, guess))
    for now, guess in said[:-1]:
        yield now, clock - now, guess


def study_of(config: str, *more: str) -> Study:
    return read(["--config", str(CONFIGS / config), *more]).study


@pytest.mark.parametrize(
    ("config", "more", "slots", "since"),
    [
        ("random.yaml", [], 64, 0.1),
        ("random.yaml", ["--seeds", "3"], 64, 0.1),
        ("random.yaml", [], 4, 0.1),
        ("random.yaml", ["--evaluate_every", "5"], 64, 0.2),  # a curve has two points
        pytest.param("random.yaml", LEVELS, 64, 0.1, id="eleven levels of noise"),
        ("random.yaml", [*LEVELS, "--seeds", "3"], 64, 0.1),
        ("random.yaml", ["--seeds", "8", "--vary", "{data.label_noise: [0.5]}"], 64, 0.1),
        ("softmax.yaml", [], 8, 0.1),
    ],
)
def test_after_a_tenth_of_the_time_the_rest_is_foretold_within_a_factor_of_one_and_a_half(
    config: str, more: list[str], slots: int, since: float
) -> None:
    for now, left, guess in trained(study_of(config, *more), slots):
        whole, seconds = now + left, guess.seconds(now)
        if now < since * whole:
            continue
        assert seconds is not None
        assert not guess.at_most
        # One run may fit some epochs earlier or later than it seems: at the very end that is much.
        if now < 0.9 * whole:
            assert 1 / 1.5 <= seconds / left <= 1.5, now / whole
        assert abs(seconds - left) <= max(left / 2, 0.06 * whole), now / whole


def test_runs_that_never_stop_early_are_foretold_to_the_second() -> None:
    for now, left, guess in trained(study_of("softmax.yaml"), 8):
        assert guess.seconds(now) == pytest.approx(left)
        assert not guess.at_most


def test_before_anything_is_known_about_when_runs_fit_it_is_a_bound() -> None:
    study = study_of("random.yaml", "--seeds", "1")
    first, second = (Progress(run) for run in study.runs)
    at(first, 1, curve_of(first.run))
    guess = forecast([([first], []), ([], [second.run])])
    assert guess.at_most
    assert guess.left / guess.done == pytest.approx(199 + 200)
    for epoch in (2, 3):
        at(first, epoch, curve_of(first.run))
    assert forecast([([first], [])]).at_most is False
    assert forecast([([first], []), ([], [second.run])]).at_most


def test_an_epoch_costs_what_the_network_and_the_examples_make_it() -> None:
    small = Run.of({"model.hidden": [8], "trainer.max_epochs": 10})
    large = Run.of({"model.hidden": [512], "trainer.max_epochs": 10})
    ended = Progress(small, epoch=10, status="finished")
    guess = forecast([([ended], []), ([], [large])])
    assert guess.left / guess.done == pytest.approx(large.parameters / small.parameters)


def test_what_an_earlier_process_trained_is_no_measure_of_this_one() -> None:
    run = Run.of({"trainer.max_epochs": 10})
    assert forecast([([Progress(run, epoch=6, resumed_at=6)], [])]).seconds(5.0) is None
    guess = forecast([([Progress(run, epoch=8, resumed_at=6)], [])])
    assert guess.seconds(5.0) == pytest.approx(5.0)
    half = forecast([([Progress(run, epoch=8, resumed_at=6)], [])], share=0.5)
    assert half.seconds(5.0) == pytest.approx(5.0 * 1.5 / 2.5)


def test_a_run_that_learns_nothing_takes_all_its_epochs() -> None:
    progress = Progress(Run.of({"stop.train_accuracy": 1.0, "trainer.max_epochs": 100}))
    for epoch in range(11):
        at(progress, epoch, [(0.1, 2.3)] * 200)
    guess = forecast([([progress], [])])
    assert guess.left / guess.done == pytest.approx(9)


def test_a_cross_entropy_that_falls_by_a_constant_factor_reaches_its_goal_when_it_does() -> None:
    stop = {"stop.train_cross_entropy": math.exp(-4), "trainer.max_epochs": 100}
    progress = Progress(Run.of(stop))
    for epoch in range(11):
        at(progress, epoch, [(0.5, math.exp(-0.1 * epoch)) for epoch in range(101)])
    assert epochs_to_stop(progress) == pytest.approx(30)
