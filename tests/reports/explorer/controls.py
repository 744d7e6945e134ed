"""The table of the page's controls: each has a check by mouse and one by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

BOTH = MOUSE, KEYBOARD = "mouse", "keyboard"
Check = Callable[[Any, Path, str], None]

TABLE: dict[str, Check] = {}
"""A check of each control by its CSS selector, of the page, the records, and mouse or keyboard."""

# Records which elements listen to a person, as the DOM does not tell it afterwards.
SPY = """
window.listening = new Set();
const add = EventTarget.prototype.addEventListener;
EventTarget.prototype.addEventListener = function (kind, ...more) {
  const asked = /^(click|dblclick|change|input|key|mouse|pointer|touch)/.test(kind);
  if (asked && this instanceof Element) window.listening.add(this);
  return add.call(this, kind, ...more);
};
"""
FOUND = """
(selectors) => {
  const native = "a[href], button, input, select, textarea, summary, [tabindex], [contenteditable]";
  const all = new Set([...document.querySelectorAll(native), ...window.listening]);
  const name = (each) => each.outerHTML.slice(0, each.outerHTML.indexOf(">") + 1);
  return [...all].filter((each) => each.isConnected && !each.matches(selectors)).map(name);
}
"""
UNREACHABLE = """
() => {
  const inside = (each) => each.matches("[tabindex], button, input, select, a[href], summary")
    || each.closest("[tabindex], [role=group]:has([tabindex])");
  const mute = [...window.listening].filter((each) => each.isConnected && !inside(each));
  return mute.map((each) => each.outerHTML.slice(0, 90));
}
"""


def works(selector: str) -> Callable[[Check], Check]:
    """Put a check into the table."""

    def put(check: Check) -> Check:
        # The search for doctests imports the files of checks once more, under another name.
        assert TABLE.get(selector, check).__qualname__ == check.__qualname__, selector
        TABLE[selector] = check
        return check

    return put


def missing(page: Any) -> list[str]:
    """Return the page's interactive elements that no selector of the table matches."""
    found: list[str] = page.evaluate(FOUND, ", ".join(TABLE))
    return found


def press(page: Any, selector: str, by: str, key: str = "Enter") -> None:
    """Use a button, a summary or a link."""
    its = page.locator(selector).first
    if by == MOUSE:
        its.click()
    else:
        its.focus()
        page.keyboard.press(key)


def choose(page: Any, selector: str, by: str, number: int) -> None:
    """Choose an option of a select by its number."""
    if by == MOUSE:
        page.click(selector)
        page.keyboard.press("Escape")  # the list is the system's, and no mouse of a test reaches it
        page.select_option(selector, index=number)
        return
    page.focus(selector)
    page.keyboard.press("Home")
    for _ in range(number):
        page.keyboard.press("ArrowDown")


def slide(page: Any, selector: str, by: str, share: float) -> None:
    """Move a slider to a share of its track, 0 or 1 by keyboard."""
    if by == KEYBOARD:
        page.focus(selector)
        page.keyboard.press("End" if share > 0.5 else "Home")
        return
    its = page.locator(selector)
    its.scroll_into_view_if_needed()
    place = its.bounding_box()
    page.mouse.click(
        place["x"] + 1 + share * (place["width"] - 2), place["y"] + place["height"] / 2
    )


def opens(page: Any, selector: str, by: str) -> None:
    """Open the details of a summary and close them again."""
    details = page.locator(selector).first.locator("xpath=..")
    before = details.evaluate("each => each.open")
    for wanted in (not before, before):
        press(page, selector, by)
        assert details.evaluate("each => each.open") == wanted
