"""`study.diff` says in what runs differ, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from study.diff import main
from study.records.writing import Folder
from study.runs.run import Run

FORMAT1 = Path(__file__).parent / "data_folders" / "format1"
QUIET, NOISY = "62f2ab0a2792", "f0646acf6aac"  # both of seed 0


def make(folder: Path, runs: dict[str, dict[str, Any]], environment: dict[str, Any]) -> Path:
    """Write a study's folder; of each run facts, columns of its row, and its losses by epoch."""
    writer = Folder(folder, "made")
    writer.begin("name: made\n")
    name = writer.write_environment(environment)
    for given in runs.values():
        run = Run.of(given.get("facts", {}))
        row = {
            "run": run.id,
            **run.facts(),
            "facts": json.dumps(run.facts()),
            "status": "finished",
            "epochs": 2,
            "epochs_to_fit": None,
            "seconds": 1.0,
            "weights_hash": "a" * 64,
            "environment": name,
            **given.get("row", {}),
        }
        losses = given.get("losses", [2.0, 1.0])
        history = [{"run": run.id, "epoch": e, "loss": loss} for e, loss in enumerate(losses)]
        writer.write_part([row], history)
    return folder


def said(capsys: pytest.CaptureFixture[str]) -> str:
    shown = capsys.readouterr()
    assert shown.err == ""
    assert all(len(line) <= 80 for line in shown.out.splitlines() if "/" not in line)
    return shown.out


def test_two_conditions_of_one_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--in", str(FORMAT1), QUIET, NOISY]) == 1
    shown = said(capsys)
    assert "  facts\n    data.label_noise: 0.0 -> 1.0\n  results\n    labels_hash:\n" in shown
    assert "environment" not in shown
    assert "data_hash" not in shown
    assert "    test_accuracy: 4 of 5 epochs from 1, by at most 0.067\n" in shown
    assert "    train_accuracy_redrawn: 5 of 5 epochs from 0, one has no number\n" in shown


@pytest.mark.parametrize("as_path", [False, True])
def test_a_run_does_not_differ_from_itself(
    as_path: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [f"{FORMAT1}/{QUIET}"] * 2 if as_path else [QUIET, QUIET, "--in", str(FORMAT1)]
    assert main(argv) == 0
    assert said(capsys) == ""


def test_two_folders_are_matched_by_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = {"one": {}, "two": {"facts": {"seed": 2}}, "three": {"facts": {"seed": 3}}}
    second = {"three": {"facts": {"seed": 3}}, "one": {}, "four": {"facts": {"seed": 4}}}
    environment = {"threads": 1, "packages": {"torch": "2.6", "numpy": "2.0"}}
    a = make(tmp_path / "a", first, environment)
    packages = {**environment, "packages": {"torch": "2.7", "numpy": "2.0"}}
    b = make(tmp_path / "b", second, packages)
    assert main([str(a), str(b)]) == 1
    assert said(capsys).splitlines() == [
        f"only in {a}, 1 run:",
        f"  {Run(seed=2).id}",
        f"only in {b}, 1 run:",
        f"  {Run(seed=4).id}",
        "in both, 2 runs:",
        f"  {' '.join(run for run in sorted_ids(a) if run in sorted_ids(b))}",
        "  environment",
        "    packages.torch: 2.6 -> 2.7",
    ]


def sorted_ids(folder: Path) -> list[str]:
    """Return the ids of a folder's runs in the order of its parts."""
    return [pq.read_table(path)["run"][0].as_py() for path in sorted((folder / "runs").iterdir())]


@pytest.mark.parametrize(
    ("changed", "lines"),
    [
        ({"row": {"seconds": 9.0}}, []),
        (
            {"row": {"status": "fitted", "epochs_to_fit": 1}},
            ["status: finished -> fitted", "epochs_to_fit: absent -> 1"],
        ),
        ({"losses": [2.0, 1.5]}, ["loss: 1 of 2 epochs from 1, by at most 0.5"]),
        ({"losses": [2.0, float("nan")]}, ["loss: 1 of 2 epochs from 1, one has no number"]),
        ({"losses": [2.0]}, ["evaluated epochs: [0, 1] -> [0]"]),
    ],
    ids=["time is no result", "outcome", "history", "no number", "epochs"],
)
def test_results(
    changed: dict[str, Any],
    lines: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    a = make(tmp_path / "a", {"run": {}}, {"threads": 1})
    b = make(tmp_path / "b", {"run": changed}, {"threads": 1})
    assert main([str(a), str(b)]) == (1 if lines else 0)
    shown = said(capsys).splitlines()
    assert [line.strip() for line in shown if line.startswith("    ")] == lines


def test_no_number_equals_no_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    diverged = {"run": {"losses": [2.0, float("nan"), float("inf")]}}
    a, b = (make(tmp_path / name, diverged, {"threads": 1}) for name in "ab")
    assert main([str(a), str(b)]) == 0
    assert said(capsys) == ""


def test_a_column_that_one_version_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(FORMAT1, tmp_path / "earlier")
    for path in (tmp_path / "earlier" / "history").iterdir():
        table = pq.read_table(path).drop_columns(["gradient_cosine"])
        pq.write_table(table, path)
    assert main([f"{FORMAT1}/{QUIET}", str(tmp_path / "earlier" / QUIET)]) == 1
    assert "  results\n    history gradient_cosine: recorded -> absent\n" in said(capsys)


def test_columns_that_a_merge_left_empty_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = make(tmp_path / "a", {"run": {}}, {"threads": 1})
    b = make(tmp_path / "b", {"run": {}}, {"threads": 1})
    for kind, column in (("runs", "optimizer.momentum"), ("history", "later")):
        (path,) = (b / kind).iterdir()
        table = pq.read_table(path)
        empty = table.append_column(column, pa.nulls(len(table), pa.float64()))
        pq.write_table(empty.replace_schema_metadata(table.schema.metadata), path)
    assert main([str(a), str(b)]) == 0
    assert said(capsys) == ""


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ([QUIET, NOISY], f"{QUIET}: expected a study's folder, FOLDER/ID or an id"),
        (["--in", str(FORMAT1), QUIET, "f0646acf6aaa"], f"did you mean '{NOISY}'?"),
        ([f"{FORMAT1}/{QUIET}", str(FORMAT1)], "expected two runs or two folders"),
        (["--in", str(FORMAT1 / "runs"), QUIET, NOISY], "expected a study's folder"),
        ([str(FORMAT1)], "the following arguments are required: B"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    argv: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("study.diff: ")
    assert complaint in line


def test_a_damaged_environment_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(FORMAT1, tmp_path / "copy")
    (path,) = (tmp_path / "copy" / "environment").iterdir()
    path.write_text("{")
    assert main([str(FORMAT1), str(tmp_path / "copy")]) == 2
    assert f"{path}: expected the environment of a recorded run" in capsys.readouterr().err
    assert main(["--in", str(tmp_path / "copy"), QUIET, NOISY]) == 2
