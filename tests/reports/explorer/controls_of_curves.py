"""Checks of the controls of the view of curves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from explorer.controls import KEYBOARD, MOUSE, choose, opens, press, works

import study
from study.records.predictions import load_predictions


def recorded(results: Path, run: str, epoch: int, metric: str) -> float:
    history = study.load(results).history
    row = history[(history["run"] == run) & (history["epoch"] == epoch)]
    return float(row[metric].iloc[0])


def point(page: Any, across: float, down: float = 0.3) -> tuple[float, float]:
    """Return a place in the plot, scrolled to."""
    over = page.locator("#curves-plot .u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def near(page: Any, by: str) -> None:
    """Make the view name a run at an epoch."""
    if by == MOUSE:
        page.mouse.move(*point(page, 0.66))
    else:
        page.focus("#curves-plot")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
    page.wait_for_function("document.getElementById('curves-live').textContent.includes('run ')")


def is_as_recorded(page: Any, results: Path, metric: str, by: str) -> str:
    """Compare the number that is shown of a run with its record; return the run."""
    near(page, by)
    text = page.locator("#curves-live").text_content()
    found = re.search(r"run (\w+): ([\d.]+) at epoch (\d+)", text)
    assert found is not None, text
    wanted = recorded(results, found[1], int(found[3]), metric)
    assert float(found[2]) == pytest.approx(wanted, rel=6e-3)
    return found[1]


@works("#curves-metric")
def metrics(page: Any, results: Path, by: str) -> None:
    choose(page, "#curves-metric", by, 2)
    assert "metric=accuracy" in page.evaluate("location.href")
    is_as_recorded(page, results, "train_accuracy", by)


@works("#curves-part")
def parts(page: Any, results: Path, by: str) -> None:
    choose(page, "#curves-part", by, 1)
    assert "part=test" in page.evaluate("location.href")
    is_as_recorded(page, results, "test_cross_entropy", by)


@works("#curves-log")
def logarithmic(page: Any, results: Path, by: str) -> None:
    for state in ("log=0", "log=1"):
        press(page, "#curves-log", by, " ")
        assert state in page.evaluate("location.href")
    is_as_recorded(page, results, "train_cross_entropy", by)


def typed(page: Any, box: str, by: str, value: str, key: str) -> None:
    if by == MOUSE:
        page.click(box, click_count=3)
    else:
        page.focus(box)
        page.keyboard.press("Control+A")
    page.keyboard.type(value)
    page.keyboard.press("Enter")
    assert f"{key}={value}" in page.evaluate("location.href")


@works("#curves-from")
def first_epoch(page: Any, results: Path, by: str) -> None:
    typed(page, "#curves-from", by, "1", "from")
    page.mouse.move(*point(page, 0.02))
    page.wait_for_function("document.getElementById('curves-live').textContent.includes('epoch 1')")


@works("#curves-to")
def last_epoch(page: Any, results: Path, by: str) -> None:
    typed(page, "#curves-to", by, "2", "to")
    page.mouse.move(*point(page, 0.98))
    page.wait_for_function("document.getElementById('curves-live').textContent.includes('epoch 2')")


@works("#curves-reset")
def all_epochs(page: Any, results: Path, by: str) -> None:
    typed(page, "#curves-from", KEYBOARD, "1", "from")
    press(page, "#curves-reset", by)
    assert "from=" not in page.evaluate("location.href")
    last = int(study.load(results).history["epoch"].max())
    assert page.locator("#curves-to").input_value() == str(last)


@works("#curves-arms input")
def arms(page: Any, results: Path, by: str) -> None:
    press(page, "#curves-arms input", by, " ")
    assert "hide=0" in page.evaluate("location.href")
    page.click("#curves-table summary")
    page.wait_for_selector("#curves-table tbody tr")
    assert page.locator("#curves-table tbody tr").count() == len(study.load(results).runs) - 6
    press(page, "#curves-arms input", by, " ")
    assert "hide" not in page.evaluate("location.href")


def arms_shown(page: Any) -> list[bool]:
    boxes = page.locator("#curves-arms input").all()
    return [box.is_checked() for box in boxes]


@works("#curves-none")
def no_arm(page: Any, results: Path, by: str) -> None:
    near(page, by)
    press(page, "#curves-none", by)
    assert arms_shown(page) == [False] * 4
    assert "hide=0.1.2.3" in page.evaluate("location.href")
    assert "at epoch" not in page.locator("#curves-live").text_content()  # it is no longer drawn
    press(page, "#curves-arms input", by, " ")
    assert "hide=1.2.3" in page.evaluate("location.href")
    page.click("#curves-table summary")
    page.wait_for_selector("#curves-table tbody tr")
    its = set(page.locator("#curves-table tbody td:nth-child(1)").all_text_contents())
    runs = study.load(results).runs
    arms = runs[runs["run"].isin(its)].groupby(["data.label_noise", "model.backward"])
    assert (len(its), arms.ngroups) == (6, 1)


@works("#curves-all")
def every_arm(page: Any, results: Path, by: str) -> None:
    press(page, "#curves-none", by)
    press(page, "#curves-all", by)
    assert arms_shown(page) == [True] * 4
    assert "hide" not in page.evaluate("location.href")
    page.click("#curves-table summary")
    page.wait_for_selector("#curves-table tbody tr")
    assert page.locator("#curves-table tbody tr").count() == len(study.load(results).runs)


@works("#curves-pin")
def pinned_run(page: Any, results: Path, by: str) -> None:
    choose(page, "#curves-pin", by, 1)
    run = page.locator("#curves-pin").input_value()
    assert f"run={run}" in page.evaluate("location.href")
    facts = page.locator("#curves-pinned .facts")
    names = facts.locator("dt").all_text_contents()
    values = facts.locator("dd").all_text_contents()
    its = dict(zip(names, values, strict=True))
    assert its["run"] == run
    wanted = recorded(results, run, int(its["epochs"]), "test_accuracy")
    assert float(its["test_accuracy"]) == pytest.approx(wanted, rel=6e-3)
    code = page.locator("#curves-pinned code").text_content()
    assert code == f"python -m study.verify '{results}' --run {run}"


@works("#curves-plot, #curves-plot *")
def plot(page: Any, results: Path, by: str) -> None:
    run = is_as_recorded(page, results, "train_cross_entropy", by)
    if by == KEYBOARD:  # zooming by keyboard is what the two number boxes are for
        page.keyboard.press("Enter")
        assert f"run={run}" in page.evaluate("location.href")
        return
    page.mouse.click(*point(page, 0.66))
    assert f"run={run}" in page.evaluate("location.href")
    page.mouse.move(*point(page, 0.4))
    page.mouse.down()
    page.mouse.move(*point(page, 0.6), steps=5)
    page.mouse.up()
    last = int(study.load(results).history["epoch"].max())
    assert page.locator("#curves-from").input_value() == str(int(0.4 * last))
    assert page.locator("#curves-to").input_value() == str(int(0.6 * last) + 1)
    page.mouse.dblclick(*point(page, 0.5))
    assert "from=" not in page.evaluate("location.href")


@works("#curves-table > summary")
def table(page: Any, results: Path, by: str) -> None:
    opens(page, "#curves-table > summary", by)
    press(page, "#curves-table > summary", by)
    page.wait_for_selector("#curves-table tbody tr")
    cells = page.locator("#curves-table tbody tr").first.locator("td").all_text_contents()
    wanted = recorded(results, cells[0], int(cells[4]), "train_cross_entropy")
    assert float(cells[6]) == pytest.approx(wanted, rel=6e-3)


def pin(page: Any, results: Path, noise: int) -> str:
    """Pin a run of the first seed, which keeps its images, and return its id."""
    wall = page.evaluate("explorer.noise.levels.at(-1).wall.run")
    runs = study.load(results).runs
    its = runs[(runs["seed"] == 0) & (runs["data.label_noise"] == noise)]
    run = str(wall) if noise else str(its["run"].iloc[0])
    page.select_option("#curves-pin", run)
    return run


@works("#curves-images, #curves-images .answer")
def images(page: Any, results: Path, by: str) -> None:
    run = pin(page, results, 1)
    tiles = page.locator("#curves-images .answer")
    assert tiles.count() == 20
    if by == MOUSE:
        tiles.nth(1).hover()
    else:
        tiles.first.focus()
        page.keyboard.press("ArrowRight")
        assert tiles.nth(1).evaluate("each => each === document.activeElement")
    its = load_predictions(results, [run])
    its = its[its["part"] == "train"]
    for tile in tiles.all():
        words = tile.get_attribute("aria-label")
        given, *true, said, percent = map(int, re.findall(r"\d+", words))
        alike = its[(its["label"] == given) & (its["said"] == said)]
        alike = alike[alike["true_label"] == (true[0] if true else given)]
        assert (abs(100 * alike["label_probability"] - percent) <= 1.1).any(), words


@works("#curves-wall")
def to_the_wall(page: Any, results: Path, by: str) -> None:
    pin(page, results, 1)
    press(page, "#curves-wall", by)
    assert "noise=1" in page.evaluate("location.href")
    assert page.locator("#noise-wall .tile").count() > 100
