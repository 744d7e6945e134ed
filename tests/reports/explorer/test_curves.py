"""The curves that the page holds are the recorded ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reports.explorer import curves
from reports.explorer.curves import all_curves
from reports.explorer.packing import unpacked_numbers
from reports.read import read


def test_every_run_has_its_recorded_values(results: Path) -> None:
    records = read([results])
    found = all_curves(records)
    shape = (len(found["metrics"]), len(found["runs"]), len(found["epochs"]))
    values = unpacked_numbers(found["values"]).reshape(shape)
    for number, run in enumerate(found["runs"]):
        its = records.history[records.history["run"] == run["id"]].sort_values("epoch")
        for metric, name in enumerate(found["metrics"]):
            np.testing.assert_allclose(values[metric, number], its[name], rtol=1e-3)
    assert found["left_out"] == 0
    assert found["commands"] == {"small": f"python -m study.verify '{results}' --run"}


def test_of_too_many_runs_the_first_seeds_are_shown(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, "MOST_RUN_EPOCHS", 4 * 4 * 2)
    found = all_curves(read([results]))
    assert {run["seed"] for run in found["runs"]} == {0, 1}
    assert found["left_out"] == 16
