"""Nothing is cut, and no line is longer than the console is wide."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from study.runs.command_line import read
from study.runs.events import LiveStack
from study.runs.packing import plan
from study.runs.progress import DIVERGED, FINISHED, FITTED, TRAINING, Progress
from study.runs.shards import Shard
from study.runs.study import Study
from study.terminal.arms import arm_parts, by_arm, packed
from study.terminal.display import Display
from study.terminal.folded_tables import Column, Tables
from study.terminal.plan import show as show_plan
from study.terminal.study_status import Status, shown
from study.terminal.summary import show as show_summary

CONFIGS = Path(__file__).parents[2] / "configs"
LONG = "{model.hidden: [[512, 512, 512]], optimizer.weight_decay: [0.000123], model.loss: "
LONG += "[cross_entropy, squared_error], data.inputs: [shuffled_pixels, random_pixels]}"
STUDIES = [
    pytest.param("softmax.yaml", [], id="softmax"),
    pytest.param("noise.yaml", [], id="noise"),
    pytest.param("random.yaml", ["--vary", LONG], id="long labels"),
]
WIDTHS = [60, 80, 120]


def study_of(config: str, more: list[str]) -> Study:
    return read(["--config", str(CONFIGS / config), *more]).study


def console(width: int, encoding: str = "utf-8") -> Console:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    return Console(file=file, width=width, height=50, highlight=False, markup=False)


def printed(on: Console) -> list[str]:
    """Return the lines on a console, none of which is cut or too long."""
    file = cast("io.TextIOWrapper", on.file)
    file.flush()
    lines = cast("io.BytesIO", file.buffer).getvalue().decode().splitlines()
    assert not [line for line in lines if len(line) > on.width]
    assert not [line for line in lines if "…" in line]
    return lines


def records(study: Study) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    runs = []
    for run in study.runs:
        status = (FITTED, DIVERGED)[run.seed % 5 == 4]
        to_fit = 60 + run.seed if status == FITTED else None
        row: dict[str, Any] = {"run": run.id, "status": status, "epochs_to_fit": to_fit}
        for name in ("train_cross_entropy", "train_accuracy", "test_accuracy"):
            row[name] = generator.uniform()
        runs.append({**row, "test_cross_entropy": 9 * generator.uniform()})
    return pd.DataFrame(runs)


def assert_all_named(study: Study, lines: list[str]) -> None:
    """Assert that each fact of each arm is there, whole, wherever a line is broken."""
    text = re.sub(r"\s+", "", "".join(lines))
    for arm in by_arm(study, study.runs):
        for part in arm:
            assert part.replace(" ", "") in text


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("config", "more"), STUDIES)
def test_the_summary_fits_and_has_every_number(config: str, more: list[str], width: int) -> None:
    study, on = study_of(config, more), console(width)
    show_summary(study, records(study), on)
    lines = printed(on)
    assert_all_named(study, lines)
    headings = [line for line in lines if line.startswith("arm ")]
    assert len(headings) <= 3
    arms = by_arm(study, study.runs)
    text = "\n".join(lines)
    for heading in ("train loss", "train acc.", "test loss", "test acc.", "epochs to fit"):
        assert text.count(heading) == 1
    for heading in ("fitted", "diverged"):
        assert sum(heading in line for line in headings) == 1
    # Four means an arm, and the epochs to fit where all of its runs fitted; and what stands below.
    whole = sum(all(run.seed % 5 != 4 for run in members) for members in arms.values())
    assert text.count(" ± ") == 4 * len(arms) + whole + 1


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("config", "more"), STUDIES)
def test_the_live_tables_fit(config: str, more: list[str], width: int) -> None:
    study, on = study_of(config, more), console(width)
    display = Display(study, study.runs, on)
    slots = [Progress(run) for run in study.runs]
    for number, slot in enumerate(slots):
        slot.status = (TRAINING, FITTED, FINISHED, DIVERGED)[number % 4]
        slot.epoch = 100 + number
        row = {"epoch": slot.epoch, "train_accuracy": 1.0, "test_accuracy": 0.5}
        slot.history.append({**row, "train_cross_entropy": 0.5})
    display.stack_began(cast("LiveStack", SimpleNamespace(taken_up=slots)))
    on.print(display.tables())
    lines = printed(on)
    assert_all_named(study, lines)
    arms = by_arm(study, study.runs)
    assert "\n".join(lines).count("100.0%") == len(arms)
    assert sum(line.count("diverged") for line in lines) == 1
    assert "left" in lines[-1]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("config", "more"), STUDIES)
def test_the_plan_fits_and_names_the_arms_of_each_stack(
    config: str, more: list[str], width: int
) -> None:
    study, on = study_of(config, more), console(width)
    show_plan(study, plan(study, study.runs), Shard(), set(), on)
    lines = printed(on)
    assert_all_named(study, lines)
    assert re.match(r"at most about \d+ min on \d+ cores? of a CPU", lines[-1])


@pytest.mark.parametrize("width", WIDTHS)
def test_the_status_fits(width: int) -> None:
    tasks = [
        {
            "task": f"{number:012x}",
            "host": "gpu-node-0123.cluster.example.org" if number else "vm",
            "job": "1234567_12_0" if number else None,
            "share": "12/16",
            "state": ("interrupted", "lost", "training")[number],
            "runs": {"a": 3, "b": 150},
            "ended": 12,
            "epochs": 12345,
            "seconds": 100.0,
        }
        for number in range(3)
    ]
    missing = {f"loss squared_error, backward rule{n}": range(0, 40, 2) for n in range(30)}
    status = Status("noise", 88, {"fitted": 3}, 2, 1, 4, missing, tasks, [], None)
    on = console(width)
    on.print(shown(status))
    lines = printed(on)
    text = "".join("".join(lines).split())
    for task in tasks:
        assert str(task["task"]) in text
        assert str(task["state"]) in text
    assert text.count("123.45") == 3
    assert width < 80 or "gpu-node-0123.cluster.example.org" in text


def test_where_the_encoding_has_no_such_signs_the_columns_still_align() -> None:
    on = console(40, "ascii")
    columns = [Column("mean", ["1.5 ± 0.5", "–"]), Column("fitted", ["3/3", "0/3"])]
    on.print(Tables("arm", [["a"], ["b"]], [columns]))
    assert printed(on) == [
        "arm        mean  fitted",
        "a    1.5 +- 0.5     3/3",
        "b             -     0/3",
    ]


words = st.text("abc_ 1", min_size=1, max_size=12).map(str.strip).filter(bool)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(st.lists(words, min_size=1, max_size=4), min_size=1, max_size=3),
    st.lists(st.lists(words, min_size=1, max_size=4), min_size=1, max_size=3),
    st.integers(36, 120),
)
def test_every_label_and_cell_is_there_at_any_width(
    labels: list[list[str]], headings: list[list[str]], width: int
) -> None:
    groups = [
        [Column(name, [f"{n}/{row}" for row in range(len(labels))]) for n, name in enumerate(group)]
        for group in headings
    ]
    tables = Tables("arm", labels, groups)
    on = console(width)
    on.print(tables)
    printed(on)
    split = tables.split(groups, width)
    assert [column for columns in split for column in columns] == [c for g in groups for c in g]


@given(st.lists(words, min_size=1, max_size=6), st.integers(0, 60))
def test_parts_are_packed_whole_and_in_order(parts: list[str], width: int) -> None:
    lines = packed(parts, width)
    assert " ".join(" ".join(lines).split()) == " ".join(", ".join(parts).split())
    longest = max(len(f"  {part},") for part in parts)
    assert all(len(line) <= max(width, longest) for line in lines)


def test_an_arm_is_named_by_the_last_part_of_each_key() -> None:
    assert arm_parts({"data.label_noise": 0.1 + 0.2, "model.loss": "x"}) == [
        "label_noise 0.3",
        "loss x",
    ]
    assert arm_parts({}) == ["all runs"]
