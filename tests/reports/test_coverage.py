"""The simulation of coverage, and the table of docs/claims.md that it printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.coverage import ANSWERS, EFFECTS, SEEDS, measure

PAGE = Path(__file__).resolve().parents[2] / "docs" / "claims.md"
SHARE = re.compile(r"[.1]\.?\d*")


def shares(table: str) -> dict[tuple[str, str], list[float]]:
    """Return a table's shares, by what is drawn and what is counted."""
    found, drawn = {}, ""
    for line in table.splitlines():
        first, what, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        drawn = first or drawn
        if all(SHARE.fullmatch(cell) or cell == "–" for cell in cells):
            found[drawn, what] = [float(cell) for cell in cells if cell != "–"]
    return found


def printed() -> dict[tuple[str, str], list[float]]:
    """Return the shares that the page shows."""
    section = PAGE.read_text(encoding="utf-8").partition("## How well the intervals cover")[2]
    return shares("\n".join(line for line in section.splitlines() if line.startswith("|")))


@pytest.mark.slow
def test_the_page_has_the_rows_that_the_benchmark_prints(tmp_path: Path) -> None:
    table = measure(tmp_path, effects=20, tables=3)
    assert set(printed()) == set(shares(table))
    found = json.loads((tmp_path / "coverage.json").read_text())
    assert len(found["shares"]) == len(SEEDS) * (4 * len(EFFECTS) + 3 * len(ANSWERS))
    assert (tmp_path / "coverage.md").read_text(encoding="utf-8") == table


def test_intervals_cover_symmetric_effects_and_fall_short_of_skewed_ones() -> None:
    for (drawn, what), found in printed().items():
        if what.startswith("covered") and "skewed" in drawn:
            assert max(found) < 0.94
        elif what.startswith("covered"):
            assert min(found) >= (0.94 if drawn in EFFECTS else 0.93), (drawn, what)
