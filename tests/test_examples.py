"""The notebooks in examples/ run, and what they say and show is what comes out."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
import torch

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.ipynb"))
NUMBER = re.compile(r"\d+\.\d+")


def code_cells(notebook: Path) -> list[dict[str, Any]]:
    """Return a notebook's code cells, as the file has them."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def execute(notebook: Path) -> dict[str, Any]:
    """Execute a notebook here, and return its names; its saved output must be what is printed.

    Other processors give other last bits, so printed numbers may differ by 0.05.
    """
    names: dict[str, Any] = {}
    for cell in code_cells(notebook):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("".join(cell["source"]), f"{notebook.name}:{cell['id']}", "exec"), names)
        saved = "".join(text for output in cell["outputs"] for text in output.get("text", []))
        if saved:
            assert NUMBER.sub("", printed.getvalue()) == NUMBER.sub("", saved)
            expected = [float(number) for number in NUMBER.findall(saved)]
            found = [float(number) for number in NUMBER.findall(printed.getvalue())]
            assert found == pytest.approx(expected, abs=0.05)
    return names


def own_model_and_data(names: dict[str, Any]) -> None:
    """Check what examples/own_model_and_data.ipynb says."""
    assert names["train"] > 0.9  # memorizes almost all redrawn labels
    assert names["own_train"] < names["train"] - 0.1  # fewer of them
    assert names["own_test"] > names["test"] + 0.05
    assert names["status"] == 0
    again = io.StringIO()
    with contextlib.redirect_stdout(again):
        assert names["fit"](["--config", "parity.yaml"]) == 0
    assert "all 15 runs are recorded already" in again.getvalue()

    runs = names["runs"]
    assert len(runs) == 15
    assert (runs["data.dataset"] == names["parity"]).all()
    assert (runs["train_accuracy"] == 1).all()
    means = runs.groupby("data.label_noise")["test_accuracy"].mean()
    assert means.is_monotonic_decreasing
    assert means[1] == pytest.approx(0.5, abs=0.1)

    drawn = [list(line.get_ydata()) for line in names["axes"].get_lines()]
    assert pytest.approx(list(means)) in drawn
    assert pytest.approx([1] * len(means)) in drawn


CLAIMS: dict[str, Callable[[dict[str, Any]], None]] = {"own_model_and_data": own_model_and_data}


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_what_it_says_is_so(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("Agg")
    with plt.rc_context(), torch.random.fork_rng():
        CLAIMS[notebook.stem](execute(notebook))
    plt.close("all")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_saved_with_what_it_prints_and_draws_alone(notebook: Path) -> None:
    outputs = [output for cell in code_cells(notebook) for output in cell["outputs"]]
    printed = [output["name"] for output in outputs if output["output_type"] == "stream"]
    shown = [output["data"] for output in outputs if output["output_type"] != "stream"]
    assert set(printed) == {"stdout"}  # warnings have paths of a machine
    assert shown
    assert all("image/png" in each for each in shown)
    assert notebook.stat().st_size < 100_000
