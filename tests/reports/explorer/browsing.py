"""Opens a report's page in a real browser, for the tests of its views and of its controls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def opened(
    browser: Any, page_file: Path, state: str = "", script: str = "", **size: int
) -> Iterator[Any]:
    """Yield the page once all views are there; assert afterwards that no script of it failed.

    Parameters
    ----------
    state
        What follows the address.
    script
        JavaScript that runs before the page's own.
    size
        The window's ``width`` and ``height``, if other than 1400 by 900.
    """
    page = browser.new_page(viewport={"width": 1400, "height": 900, **size})
    page.add_init_script(script)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(page_file.as_uri() + state)
    page.wait_for_selector("#curves-plot canvas")
    page.wait_for_selector("#noise-wall button")
    page.wait_for_selector("#curves-pinned p")
    yield page
    assert faults == []
    page.close()
