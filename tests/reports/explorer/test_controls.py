"""Every control of the page works by mouse and by keyboard, and none is missing from the table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from explorer import controls_of_curves, controls_of_margins, controls_of_page
from explorer.browsing import opened
from explorer.controls import BOTH, SPY, TABLE, UNREACHABLE, missing

from reports.__main__ import main

pytestmark = pytest.mark.slow
CHECKED = (controls_of_curves, controls_of_margins, controls_of_page)  # they fill the table
EXAMPLE = Path(__file__).parents[3] / "reports" / "example" / "index.html"
WITHIN = """
- id: random-labels-cost-about-half
  family: of-another-test
  stated: 2026-11-28
  sentence: Random labels cost between 5 and 60 points of test accuracy.
  config: {config}
  where: {{model.backward: jacobian}}
  a: {{data.label_noise: 0}}
  b: {{data.label_noise: 1}}
  metric: test_accuracy
  at: last
  within: [0.05, 0.6]
  margin_from: ours
"""


@pytest.fixture(scope="module")
def made(results: Path, report: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page with a claim about two margins beside the one about one."""
    folder = tmp_path_factory.mktemp("controls")
    first = (results.parent / "claims.yaml").read_text()
    both = folder / "claims.yaml"
    both.write_text(first + WITHIN.format(config=results.parent / "small.yaml"))
    assert main([str(results), "--out", str(folder / "out"), "--claims", str(both)]) == 0
    return folder / "out" / "index.html"


@pytest.fixture
def page(browser: Any, made: Path) -> Iterator[Any]:
    yield from opened(browser, made, script=SPY)


@pytest.mark.parametrize("by", BOTH)
@pytest.mark.parametrize("selector", TABLE)
def test_a_control_works(page: Any, results: Path, selector: str, by: str) -> None:
    TABLE[selector](page, results, by)


def test_no_control_is_missing_from_the_table(page: Any) -> None:
    run = page.evaluate("explorer.noise.levels.at(-1).wall.run")
    page.select_option("#curves-pin", run)
    for details in page.locator("details").all():
        details.evaluate("each => each.open = true")
    page.wait_for_selector("#curves-table tbody tr")
    assert missing(page) == []
    unused = [each for each in TABLE if page.locator(each).count() == 0]
    assert unused == []
    assert page.evaluate(UNREACHABLE) == []


def test_a_control_that_the_table_lacks_is_found(page: Any) -> None:
    page.evaluate("""() => {
      const added = document.createElement("span");
      added.addEventListener("click", () => {});
      document.body.append(added, document.createElement("button"));
    }""")
    assert sorted(missing(page)) == ["<button>", "<span>"]
    assert page.evaluate(UNREACHABLE) == ["<span></span>"]


def test_the_example_has_no_other_control(browser: Any) -> None:
    for page in opened(browser, EXAMPLE, script=SPY):
        assert missing(page) == []
