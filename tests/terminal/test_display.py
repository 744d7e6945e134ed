"""What a person sees while a study trains."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from study.runs.events import LiveStack
from study.runs.progress import DIVERGED, FITTED, Progress
from study.runs.run import Run
from study.runs.settings import Stop, Trainer
from study.runs.study import Study
from study.terminal.display import Display, accuracies

STUDY = Study(
    seeds=2,
    vary={"data.label_noise": [0, 1]},
    trainer=Trainer(max_epochs=10),
)


def stack_of(slots: list[Progress]) -> LiveStack:
    """Return what an observer sees of a stack with these runs."""
    return cast("LiveStack", SimpleNamespace(taken_up=slots))


def display(*, terminal: bool) -> tuple[Display, list[Progress], Console]:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    shown = Display(STUDY, STUDY.runs, console)
    slots = [Progress(run) for run in STUDY.runs]
    shown.stack_began(stack_of(slots))
    return shown, slots, console


def at(slot: Progress, epoch: int, train: float, test: float, status: str = "training") -> None:
    slot.epoch, slot.status = epoch, status
    row = {"epoch": epoch, "train_accuracy": train, "test_accuracy": test}
    slot.history.append({**row, "train_cross_entropy": 1.0})


def test_a_line_counts_runs_by_status_and_averages_by_arm() -> None:
    shown, slots, _ = display(terminal=False)
    at(slots[0], 4, 1.0, 0.9, FITTED)
    at(slots[1], 5, 0.2, 0.1)
    at(slots[2], 5, 0.5, 0.7)
    at(slots[3], 2, 0.4, 0.1, DIVERGED)
    line = shown.line()
    assert "epoch 5; 2 runs training, 1 fitted, 0 finished, 1 diverged" in line
    assert "label_noise 0 train 75.0% test 80.0%" in line
    assert "label_noise 1 train 30.0% test 10.0%" in line


def test_the_time_left_is_what_the_rate_so_far_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 100.0}
    monkeypatch.setattr("study.terminal.display.time.monotonic", lambda: clock["now"])
    shown, slots, _ = display(terminal=False)
    assert shown.time_left(shown.forecast()) == "time left not known yet"
    for slot in slots:
        at(slot, 2, 0.5, 0.5)
    clock["now"] += 30
    assert shown.time_left(shown.forecast()) == "about 2:00 left"


def test_runs_that_wait_for_a_place_take_as_long_as_others_of_their_arm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = {"now": 0.0}
    monkeypatch.setattr("study.terminal.display.time.monotonic", lambda: clock["now"])
    study = Study(seeds=4, trainer=Trainer(max_epochs=50), stop=Stop(train_accuracy=1.0))
    shown = Display(study, study.runs, Console(file=io.StringIO(), width=80))
    first = Progress(study.runs[0])
    shown.stack_began(stack_of([first]))
    clock["now"] = 2.0
    at(first, 2, 0.5, 0.5)
    assert shown.time_left(shown.forecast()) == "at most 3:18 left"  # 48 + 3 x 50 epochs
    clock["now"] = 10.0
    at(first, 10, 1.0, 0.5, FITTED)
    assert shown.time_left(shown.forecast()) == "about 0:30 left"


def test_a_small_terminal_shows_the_arms_that_still_train_and_counts_the_others() -> None:
    noises = [round(0.05 * number, 2) for number in range(20)]
    study = Study(seeds=1, vary={"data.label_noise": noises})
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=12)
    shown = Display(study, study.runs, console)
    slots = [Progress(run) for run in study.runs]
    shown.stack_began(stack_of(slots))
    for slot in slots[:15]:
        at(slot, 4, 1.0, 0.9, FITTED)
    lines = ["".join(s.text for s in line) for line in console.render_lines(shown.tables(12))]
    assert len(lines) <= 12
    assert "left" in lines[-1]
    for number, noise in enumerate(noises):
        assert (f"label_noise {noise:g} " in "\n".join(lines)) == (number >= 15 or number < 4)
    assert "and 11 more arms" in lines[-2]


def test_plain_lines_come_only_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 0.0}
    monkeypatch.setattr("study.terminal.display.time.monotonic", lambda: clock["now"])
    shown, slots, console = display(terminal=False)
    at(slots[0], 1, 0.5, 0.5)
    for now in (1.0, 9.0, 10.5, 12.0, 21.0):
        clock["now"] = now
        shown.epoch_began(stack_of(slots))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count("runs training") == 2


def test_a_terminal_gets_a_live_table_that_ends_complete() -> None:
    shown, slots, console = display(terminal=True)
    with shown:
        at(slots[0], 4, 1.0, 0.9, FITTED)
        shown.epoch_began(stack_of(slots))
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue()
    assert "label_noise 0" in printed
    assert "100.0%" in printed
    assert "train acc." in printed


def test_nothing_evaluated_is_a_dash() -> None:
    assert accuracies([Progress(Run())]) == ("–", "–")
