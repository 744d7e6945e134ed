"""The table of docs/speed.md, made from the JSON of ``python -m benchmarks --workload gpu``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NOT_MEASURED = "not measured"
NAMES = {"float32": "float32", "tf32": "TF32", "bf16": "bf16"}
CHECKS = {
    "from the reference": "batched engine, from a plain loop in float64 on the CPU",
    "from unrecorded steps": "steps of the CUDA graph, from ordinary ones",
    "from going on": "saved and gone on with, from never interrupted",
    "from being alone": "a run in a stack, from the run alone",
}

Item = dict[str, Any]


def table(path: Path) -> str:
    """Return what a GPU gave in Markdown; where there is no JSON, a table that says so.

    A check that was not made, and a cost that was not reached, is "not measured", too.
    """
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"items": []}
    items: list[Item] = found["items"]
    costs = [item for item in items if item["kind"] == "cost"]
    checks = [item for item in items if item["kind"] == "check" and item["name"] != "where"]
    lines = [*_costs(costs), "", *_checks(checks)]
    where = next((item for item in items if item["name"] == "where" and "device" in item), None)
    if where:
        lines = [_where(where, found["limits"]), "", *lines]
    return "\n".join(lines)


def _costs(costs: Sequence[Item]) -> list[str]:
    """Return a row for each contender and precision, a column for each number of runs."""
    sizes = sorted({item["runs"] for item in costs})
    lines = [
        f"| milliseconds a run for 60,000 examples | precision |{_columns(sizes)} memory a run |",
        f"|---|---|{'--:|' * len(sizes)}--:|",
    ]
    rows: dict[tuple[str, str], dict[int, Item]] = {}
    for item in costs:
        rows.setdefault((item["name"], item["precision"]), {})[item["runs"]] = item
    for (name, precision), row in rows.items():
        cells = "".join(f" {_milliseconds(row.get(size))} |" for size in sizes)
        lines.append(f"| {name} | {NAMES[precision]} |{cells} {_memory(row)} |")
    return lines if rows else [*lines, f"| {NOT_MEASURED} | | |"]


def _columns(sizes: Sequence[int]) -> str:
    return "".join(f" {size:,} run{'s' * (size > 1)} |" for size in sizes)


def _milliseconds(item: Item | None) -> str:
    if item is None:
        return ""
    return f"{item['seconds'] * 1e3:.3g}" if "seconds" in item else NOT_MEASURED


def _memory(row: dict[int, Item]) -> str:
    """Return the memory of a run among the most that were measured."""
    measured = [size for size, item in row.items() if "bytes" in item]
    return f"{row[max(measured)]['bytes'] / 2**20:.2f} MiB" if measured else NOT_MEASURED


def _checks(checks: Sequence[Item]) -> list[str]:
    lines = ["| largest difference of a weight, of the largest weight | runs | float32 | float64 |"]
    lines += ["|---|--:|--:|--:|"]
    rows: dict[tuple[str, int], dict[str, Item]] = {}
    for item in checks:
        rows.setdefault((item["name"], item["runs"]), {})[item["precision"]] = item
    for (name, runs), row in rows.items():
        cells = " | ".join(_apart(row.get(precision)) for precision in ("float32", "float64"))
        lines.append(f"| {CHECKS[name]} | {runs} | {cells} |")
    return lines if rows else [*lines, f"| {NOT_MEASURED} | | | |"]


def _apart(item: Item | None) -> str:
    if item is None or "apart" not in item:
        return NOT_MEASURED
    if item.get("recorded") is False:
        return "no graph was recorded"
    return "none" if item["apart"] == 0 else f"{item['apart']:.1g}"


def _where(where: Item, limits: Item) -> str:
    """Return a sentence that says on what the figures were measured."""
    packages = where["packages"]
    versions = f"torch {packages['torch']}, Lightning {packages['pytorch-lightning']}"
    cuda = f", CUDA {where['cuda']}" if "cuda" in where else ""
    widths = "-".join(str(width) for width in (784, *limits["hidden"], 10))
    return f"Measured on {where['device']} ({versions}{cuda}): {widths} on mnist5k, batch 100."
