"""Checks of the controls around the three views: links, folds, the table of runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from explorer.controls import KEYBOARD, MOUSE, opens, press, works

import study


@works("nav a")
def contents(page: Any, results: Path, by: str) -> None:
    press(page, 'nav a[href="#runs"]', by)
    assert page.evaluate("location.href").endswith("#runs")
    top = page.locator("#runs").bounding_box()["y"]
    assert top < page.viewport_size["height"]


@works("figcaption a")
def files_of_figures(page: Any, results: Path, by: str) -> None:
    folder = Path(page.evaluate("location.href").split("#")[0].removeprefix("file://")).parent
    for link in page.locator("figcaption a").all():
        assert (folder / link.get_attribute("href")).is_file()
    data = page.locator("figcaption a", has_text="data").first
    data.evaluate(
        """each => each.addEventListener('click', (event) => {
          window.followed = each.href;
          event.preventDefault();
        })"""
    )
    data.click() if by == MOUSE else data.press("Enter")
    assert page.evaluate("window.followed").endswith(".csv")


@works(".card summary")
def reasons(page: Any, results: Path, by: str) -> None:
    opens(page, ".card summary", by)
    its = page.locator("#claim-random-labels-cost-accuracy")
    opens(page, "#claim-random-labels-cost-accuracy summary", by)
    runs, history = study.load(results)
    its_runs = runs[runs["model.backward"] == "jacobian"]
    last = its_runs["run"].map(history.groupby("run").last()["test_accuracy"])
    means = last.groupby(its_runs["data.label_noise"]).mean()
    found = re.search(r"[+−]([\d.]+) points", its.locator("strong").text_content())
    assert found is not None
    assert float(found[1]) == pytest.approx(100 * abs(means[0] - means[1]), rel=1e-2)
    text = its.locator("details").text_content()
    assert all(run in text for run in its_runs["run"])


@works("#verdicts > details > summary")
def folds(page: Any, results: Path, by: str) -> None:
    opens(page, "#verdicts > details > summary", by)


@works(".environment > summary")
def environments(page: Any, results: Path, by: str) -> None:
    opens(page, ".environment > summary", by)
    name = study.load(results).runs["environment"].iloc[0]
    assert name in page.locator(".environment summary").first.text_content()


@works(".scroll[tabindex], .environment pre")
def tables_that_scroll(page: Any, results: Path, by: str) -> None:
    box = page.locator("#runs .scroll")
    box.scroll_into_view_if_needed()
    if by == MOUSE:
        place = box.bounding_box()
        page.mouse.move(place["x"] + 50, place["y"] + 100)
        page.mouse.wheel(0, 200)
    else:
        box.focus()
        page.keyboard.press("ArrowDown")
    page.wait_for_function("document.querySelector('#runs .scroll').scrollTop > 0")


@works("#filter")
def filtered(page: Any, results: Path, by: str) -> None:
    runs = study.load(results).runs
    page.click("#filter") if by == MOUSE else page.focus("#filter")
    page.keyboard.type(runs["run"].iloc[0])
    assert page.locator("#shown").text_content() == f"1 of {len(runs)} runs"
    row = page.locator("#run-table tbody tr:not([hidden]) td").all_text_contents()
    recorded = study.load(results).history.groupby("run").last().loc[row[0], "test_accuracy"]
    assert float(row[-1].rstrip("%")) == pytest.approx(recorded, rel=6e-3)


@works("#run-table thead button")
def sorted_runs(page: Any, results: Path, by: str) -> None:
    cells = page.locator("#run-table tbody td:nth-child(4)")
    press(page, "#run-table th:nth-child(4) button", by, " " if by == KEYBOARD else "Enter")
    assert list(map(int, cells.all_text_contents())) == sorted(study.load(results).runs["seed"])
