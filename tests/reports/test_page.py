"""The page in a real browser: no error, no request, sorting, filtering, and axe finds nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs 'browser'")


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Any, report: Path) -> Iterator[Any]:
    opened = browser.new_page(color_scheme=request.param)
    opened.complaints = []
    opened.on("console", lambda message: opened.complaints.append(message.text))
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.on(
        "request",
        lambda asked: (
            None
            if asked.url.startswith(("data:", (report / "index.html").as_uri()))
            else opened.complaints.append(asked.url)
        ),
    )
    opened.goto((report / "index.html").as_uri())
    yield opened
    assert opened.complaints == []
    opened.close()


def column(page: Any, number: int) -> list[str]:
    cells = page.locator(f"#run-table tbody tr:not([hidden]) td:nth-child({number})")
    return list(cells.all_text_contents())


def test_axe_finds_nothing_serious(page: Any) -> None:
    found = axe.Axe().run(page).response["violations"]
    serious = [each["id"] for each in found if each["impact"] in ("serious", "critical")]
    assert serious == []


def test_runs_are_sorted_by_a_click_and_by_the_keyboard(page: Any) -> None:
    seeds = page.locator("#run-table thead button", has_text="seed")
    seeds.click()
    up = list(map(int, column(page, 4)))
    assert up == sorted(up)
    seeds.focus()
    page.keyboard.press("Enter")
    assert list(map(int, column(page, 4))) == sorted(up, reverse=True)


def test_runs_are_filtered_as_one_types(page: Any) -> None:
    page.fill("#filter", "label_noise 1, backward identity")
    assert page.locator("#shown").text_content() == "6 of 24 runs"
    assert len(column(page, 1)) == 6
    page.fill("#filter", "")
    assert len(column(page, 1)) == 24


def test_a_phone_needs_no_sideways_scrolling(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_paper_has_few_pages_with_all_reasons_open(page: Any) -> None:
    page.pdf()  # opens them, and closes them again
    assert page.locator("#verdicts .card details:not([open])").count() > 0
    page.evaluate("""addEventListener("beforeprint", () => {
        window.open_ = document.querySelectorAll("#verdicts details:not([open])").length; })""")
    pdf = page.pdf(prefer_css_page_size=True)
    assert page.evaluate("window.open_") == 0
    assert len(re.findall(rb"/Type */Page\b(?!s)", pdf)) <= 8
    page.set_viewport_size({"width": 733, "height": 1061})  # what a sheet has room for
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 733
