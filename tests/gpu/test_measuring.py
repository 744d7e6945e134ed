"""What is measured on a GPU is written down at once, and nothing takes longer than it may."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import serving

from benchmarks.__main__ import main
from benchmarks.gpu import measuring
from benchmarks.gpu.measuring import NOT_REACHED, Item, Limits, measure_all, plan


def names(path: Path) -> dict[str, object]:
    items = json.loads(path.read_text())["items"]
    return {item["name"]: item.get("not_measured", item.get("asked")) for item in items}


def test_whatever_happens_to_one_measurement_the_others_are_made(tmp_path: Path) -> None:
    items = [Item(name) for name in ("a", "b", "hangs", "c", "dies", "d", "breaks", "e")]
    path = tmp_path / "new" / "gpu.json"
    limits = Limits(budget=60, each=3)
    found = measure_all(items, path, "cpu", limits, serving.answering)
    # A process that was ended is started again, and counts anew.
    assert names(path) == {
        "a": 1,
        "b": 2,
        "hangs": "took longer than 3 s",
        "c": 1,
        "dies": "its process ended",
        "d": 1,
        "breaks": "CUDA error",
        "e": 1,
    }
    assert json.loads(path.read_text()) == json.loads(json.dumps(found))
    assert {item["device"] for item in found["items"] if "device" in item} == {"cpu"}


def test_a_budget_that_is_spent_leaves_what_was_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, written = tmp_path / "gpu.json", []

    def write(at: Path, content: bytes) -> None:
        at.write_bytes(content)
        written.append(names(at))

    monkeypatch.setattr(measuring, "write_whole", write)
    items = [Item("a"), Item("hangs"), Item("b")]
    began = time.monotonic()
    measure_all(items, path, "cpu", Limits(budget=4, each=60), serving.answering)
    assert time.monotonic() - began < 20
    assert written[0] == {"a": 1, "hangs": NOT_REACHED, "b": NOT_REACHED}
    assert str(written[-1]["hangs"]).startswith("took longer than ")
    assert written[-1]["b"] == NOT_REACHED


def test_everything_asked_for_is_planned_once() -> None:
    items = plan()
    assert len(set(items)) == len(items)
    for precision in ("float32", "tf32", "bf16"):
        for way in ("study", "vmap"):
            sizes = [i.runs for i in items if i[:2] == (way, precision)]
            assert sizes == [1, 4, 16, 64, 256, 1024, 4096]
        found = {item.name for item in items if item.precision == precision}
        assert {"plain loop", "Lightning + DataLoader"} <= found
        assert "plain loop, compiled with CUDA graphs" in found
    alone = {(i.precision, i.runs) for i in items if i.name == "from being alone"}
    assert alone == {(p, n) for p in ("float32", "float64") for n in (2, 16, 256)}


def test_a_gpu_is_asked_for_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit) as ended:
        main(["--workload", "gpu"])
    assert ended.value.code == 2
    assert "--device: expected a CUDA device, found none" in capsys.readouterr().err


@pytest.mark.slow
def test_every_way_is_timed_on_a_cpu_and_trains_as_the_others(tmp_path: Path) -> None:
    limits = Limits(budget=300, each=100, block=0.02, warm_up=150, hidden=(16,))
    items = [
        item
        for item in plan((2,))
        if item.runs <= 3 and "compiled" not in item.name and item.precision != "tf32"
    ]
    found = measure_all(items, tmp_path / "gpu.json", "cpu", limits)
    assert [item for item in found["items"] if "not_measured" in item] == []
    costs = [item for item in found["items"] if item["kind"] == "cost"]
    assert all(item["low"] <= item["seconds"] <= item["high"] for item in costs)
    accuracies = [item["accuracy"] for item in costs if "accuracy" in item]
    assert len(accuracies) == 10
    assert min(accuracies) > 0.6
    assert max(accuracies) - min(accuracies) < 0.2
    apart = {(i["name"], i["precision"]): i["apart"] for i in found["items"] if "apart" in i}
    assert apart["from the reference", "float64"] < 1e-12
    assert apart["from going on", "float32"] == 0
