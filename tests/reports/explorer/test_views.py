"""The three views in a real browser, by mouse and by keyboard; their numbers are the records'."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer.browsing import opened

import study
from reports.explorer.packing import packed_numbers, unpacked_numbers

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs 'browser'")
pytestmark = pytest.mark.slow
# Keeps what is drawn beside the vertical axis, which alone is aligned to the right, at its height.
WRITTEN = """
window.written = new Map();
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...more) {
  if (this.textAlign === "right") window.written.set(Math.round(y), text);
  return write.call(this, text, x, y, ...more);
};
"""


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    yield from opened(browser, report / "index.html")


def live(page: Any) -> tuple[str, float, int]:
    """Return the run, its value and the epoch that the curves name."""
    text = page.locator("#curves-live").text_content()
    found = re.search(r"run (\w+): ([\d.]+) at epoch (\d+)", text)
    assert found is not None, text
    return found[1], float(found[2]), int(found[3])


def recorded(results: Path, run: str, epoch: int, metric: str) -> float:
    history = study.load(results).history
    row = history[(history["run"] == run) & (history["epoch"] == epoch)]
    return float(row[metric].iloc[0])


def test_hovering_names_a_run_and_a_click_pins_it(page: Any, results: Path) -> None:
    box = page.locator("#curves-plot .u-over")
    box.scroll_into_view_if_needed()
    place = box.bounding_box()
    page.mouse.move(place["x"] + place["width"] * 0.66, place["y"] + 60)
    page.wait_for_function("document.getElementById('curves-live').textContent.includes('run ')")
    run, value, epoch = live(page)
    assert value == pytest.approx(recorded(results, run, epoch, "train_cross_entropy"), rel=6e-3)
    page.mouse.click(place["x"] + place["width"] * 0.66, place["y"] + 60)
    assert f"run={run}" in page.url
    assert run in page.locator("#curves-pinned").text_content()
    assert page.locator("#curves-pin").input_value() == run


def test_curves_by_keyboard(page: Any, results: Path) -> None:
    page.select_option("#curves-metric", "accuracy")
    page.select_option("#curves-part", "test")
    page.focus("#curves-plot")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    run, value, epoch = live(page)
    assert epoch == 2
    assert value == pytest.approx(recorded(results, run, 2, "test_accuracy"), rel=6e-3)
    assert run in page.url
    assert "metric=accuracy" in page.url
    assert "part=test" in page.url


def test_every_other_control_of_the_curves_works(page: Any) -> None:
    page.uncheck("#curves-log")
    page.fill("#curves-from", "1")
    page.press("#curves-from", "Enter")
    assert "log=0" in page.url
    assert "from=1" in page.url
    page.click("#curves-reset")
    assert "from" not in page.url
    assert page.locator("#curves-from").input_value() == "0"
    page.locator("#curves-arms input").first.uncheck()
    page.click("#curves-table summary")
    page.wait_for_selector("#curves-table tbody tr")  # filled when it is opened
    assert page.locator("#curves-table tbody tr").count() == 18


def test_noise_moves_the_numbers_and_the_wall(page: Any, results: Path) -> None:
    runs, history = study.load(results)
    page.focus("#noise-level")
    page.keyboard.press("Home")
    assert "noise=0" in page.url
    assert page.locator("#noise-wall button").count() == 0
    page.keyboard.press("End")
    page.wait_for_selector("#noise-wall button")
    words = page.locator("#noise-words").text_content()
    runs = runs[(runs["data.label_noise"] == 1)]
    backward = runs["model.backward"].iloc[0]
    last = history.groupby("run").last()["test_accuracy"]
    means = {last[its["run"]].mean() for _, its in runs.groupby("model.backward")}
    shown = float(re.search(r"([\d.]+) on the test set", words)[1])  # type: ignore[index]
    assert any(shown == pytest.approx(mean, abs=1e-3) for mean in means), backward
    first = page.locator("#noise-wall button").first
    first.focus()
    page.keyboard.press("ArrowRight")
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    detail = page.locator("#noise-detail").text_content()
    given = re.match(r"given (\d), true (\d)", focused)
    assert given is not None
    assert f"Given label {given[1]}, true label {given[2]}" in detail
    page.locator("#noise-wall button").nth(5).hover()
    label = page.locator("#noise-wall button").nth(5).get_attribute("aria-label")
    assert label.split(", ")[2] in page.locator("#noise-detail").text_content()


def test_a_margin_is_moved_and_its_seeds_are_judged_again(page: Any, results: Path) -> None:
    runs, history = study.load(results)
    last = history.groupby("run").last()["test_accuracy"]
    its = runs[runs["model.backward"] == "jacobian"].assign(value=runs["run"].map(last))
    wide = its.pivot_table(index="seed", columns="data.label_noise", values="value")
    effects = wide[0] - wide[1]
    page.select_option("#margin-claim", "random-labels-cost-accuracy")
    said = page.locator("#margin-verdict")
    assert "this is the margin that was stated" in said.text_content()
    assert f"{int((effects > 0.05).sum())} of 6 seeds lie there" in said.text_content()
    stated = page.locator("#margin-low").input_value()
    page.focus("#margin-low")
    page.keyboard.press("End")
    moved = float(page.locator("#margin-low").input_value())
    assert f"{int((effects > moved).sum())} of 6 seeds lie there" in said.text_content()
    assert "refuted" in said.text_content()
    assert "margin=" in page.url
    page.click("#margin-reset")
    assert page.locator("#margin-low").input_value() == stated
    page.locator("#margin-picture .dot").first.click()
    assert "seed=0" in page.url
    page.click("#margin-table summary")
    page.wait_for_selector("#margin-table tbody tr")
    shown = page.locator("#margin-table tbody tr").first.locator("td").all_text_contents()
    assert float(shown[1]) == pytest.approx(wide.loc[0, 0], rel=6e-3)


def test_a_view_can_be_sent_by_its_address(browser: Any, report: Path, results: Path) -> None:
    run = str(study.load(results).runs["run"].iloc[3])
    for page in opened(
        browser, report / "index.html", f"#run={run}&metric=accuracy&part=test&noise=1"
    ):
        assert run in page.locator("#curves-pinned").text_content()
        assert page.locator("#curves-metric").input_value() == "accuracy"
        assert page.locator("#noise-level").input_value() == "1"


def test_axe_finds_nothing_with_the_views_open(page: Any) -> None:
    for details in page.locator("details").all():
        details.evaluate("each => each.open = true")
    assert axe.Axe().run(page).violations_count == 0


def test_the_pinned_line_lies_on_its_own_after_the_window_changed(page: Any) -> None:
    page.select_option("#curves-pin", index=1)
    page.set_viewport_size({"width": 800, "height": 900})
    # A stretched canvas would show another value than the axis says.
    drawn = """() => {
      const [lines, over] = document.querySelectorAll("#curves-plot canvas");
      const box = over.getBoundingClientRect(), ratio = devicePixelRatio;
      const off = [over.width - box.width * ratio, over.height - box.height * ratio];
      return off.every((each) => Math.abs(each) < 1) && lines.clientWidth < 800;
    }"""
    page.wait_for_function(drawn)
    ink = """() => {
      const over = document.querySelector("#curves-plot .overlay");
      return over.getContext("2d").getImageData(0, 0, over.width, over.height).data.some(Boolean);
    }"""
    assert page.evaluate(ink)


@pytest.mark.parametrize("log", [1, 0])
def test_each_tick_of_small_numbers_says_its_own(
    browser: Any, report: Path, tmp_path: Path, log: int
) -> None:
    """Three decimals would call most of them 0."""
    text = (report / "index.html").read_text(encoding="utf-8")
    found = re.search(r'"values": "([^"]+)"\}, "images"|"curves": .*?"values": "([^"]+)"', text)
    assert found is not None
    packed = found[1] or found[2]
    small = np.clip(unpacked_numbers(packed).astype(float) * 2e-3, 1e-6, None)
    (tmp_path / "index.html").write_text(text.replace(packed, packed_numbers(small)))
    for page in opened(browser, tmp_path / "index.html", f"#log={log}", WRITTEN):
        ticks = {y: text for y, text in page.evaluate("[...window.written]") if text}
        assert len(ticks) > 2
        numbers = [float(each.replace("−", "-")) for each in ticks.values()]
        assert 0 < max(numbers) < 0.1
        heights = np.log10(numbers) if log else numbers
        assert np.corrcoef(list(ticks), heights)[0, 1] < -0.999  # each where its number lies


@pytest.mark.parametrize(
    ("state", "view"),
    [("metric=accuracy&noise=1", "noise"), ("noise=1&claim=a&margin=0.1", "margin"),
     ("noise=1&seed=0", "curves")],
)  # fmt: skip
def test_an_address_opens_at_the_view_of_its_last_key(
    browser: Any, report: Path, state: str, view: str
) -> None:
    for page in opened(browser, report / "index.html", f"#{state}"):
        top = f"document.getElementById('{view}-title').getBoundingClientRect().top"
        page.wait_for_function(f"Math.abs({top}) < 2 && scrollY > 0")


def test_an_address_without_a_view_opens_at_the_top(page: Any) -> None:
    page.evaluate("Promise.all(started)")
    assert page.evaluate("scrollY") == 0


def test_the_last_key_is_the_one_last_changed(page: Any) -> None:
    page.select_option("#curves-metric", "accuracy")
    page.select_option("#curves-part", "test")
    page.select_option("#curves-metric", "squared_error")
    assert page.url.endswith("#part=test&metric=squared_error")


def test_on_a_phone_an_examples_history_stays_in_sight(browser: Any, report: Path) -> None:
    for page in opened(browser, report / "index.html", "#noise=1", width=390, height=844):
        tile = page.locator("#noise-wall .tile").first
        tile.evaluate(
            "each => window.scrollTo(0, each.getBoundingClientRect().top + scrollY - 200)"
        )
        tile.click()
        detail = page.locator("#noise-detail")
        wall = page.locator("#noise-wall").bounding_box()
        assert wall["y"] + wall["height"] > 844  # without it the history would lie below
        box = detail.bounding_box()
        assert box["y"] > 200
        assert box["y"] + box["height"] <= 845
        assert box["height"] < 250
        paper = "getComputedStyle(document.body).backgroundColor"
        assert detail.evaluate(f"each => getComputedStyle(each).backgroundColor === {paper}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert axe.Axe().run(page).violations_count == 0
