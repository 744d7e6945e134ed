"""The table of docs/speed.md says what was measured, and "not measured" for everything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.gpu.table import table


def item(name: str, precision: str = "float32", runs: int = 1, **more: Any) -> dict[str, Any]:
    return {"name": name, "precision": precision, "runs": runs, "kind": "cost", **more}


def test_without_a_json_the_table_says_not_measured(tmp_path: Path) -> None:
    found = table(tmp_path / "gpu.json")
    assert found.splitlines() == [
        "| milliseconds a run for 60,000 examples | precision | memory a run |",
        "|---|---|--:|",
        "| not measured | | |",
        "",
        "| largest difference of a weight, of the largest weight | runs | float32 | float64 |",
        "|---|--:|--:|--:|",
        "| not measured | | | |",
    ]


def test_the_table_has_what_the_json_has(tmp_path: Path) -> None:
    packages = {"torch": "9.1", "pytorch-lightning": "8.2"}
    items = [
        item("where", kind="check", device="A Card", packages=packages, cuda="77.0"),
        item("from the reference", runs=3, kind="check", apart=2.3e-7),
        item("from the reference", "float64", 3, kind="check", not_measured="its process ended"),
        item("from unrecorded steps", runs=3, kind="check", apart=0.0, recorded=True),
        item("from unrecorded steps", "float64", 3, kind="check", apart=0.0, recorded=False),
        item("from being alone", runs=16, kind="check", apart=0.0),
        item("study", runs=1, seconds=0.1234, bytes=2**22),
        item("study", runs=1024, seconds=0.0012345, bytes=2**21),
        item("study", runs=4096, not_measured="out of memory"),
        item("study", "bf16", 1, not_measured="not reached within the budget"),
        item("plain loop", seconds=0.25),
    ]
    path = tmp_path / "gpu.json"
    path.write_text(json.dumps({"items": items, "limits": {"hidden": [256]}}))
    costs = "| milliseconds a run for 60,000 examples | precision | 1 run | 1,024 runs |"
    assert table(path).splitlines() == [
        "Measured on A Card (torch 9.1, Lightning 8.2, CUDA 77.0): 784-256-10 on mnist5k, "
        "batch 100.",
        "",
        f"{costs} 4,096 runs | memory a run |",
        "|---|---|--:|--:|--:|--:|",
        "| study | float32 | 123 | 1.23 | not measured | 2.00 MiB |",
        "| study | bf16 | not measured |  |  | not measured |",
        "| plain loop | float32 | 250 |  |  | not measured |",
        "",
        "| largest difference of a weight, of the largest weight | runs | float32 | float64 |",
        "|---|--:|--:|--:|",
        "| batched engine, from a plain loop in float64 on the CPU | 3 | 2e-07 | not measured |",
        "| steps of the CUDA graph, from ordinary ones | 3 | none | no graph was recorded |",
        "| a run in a stack, from the run alone | 16 | none | not measured |",
    ]
