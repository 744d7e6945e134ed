"""What W&B gives back becomes records only where it is a whole run of the study."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from loopback import Loopback
from wandb_client import (
    environment,
    study_wandb,
)

import study
from study.records.parquet import parquet
from study.records.predictions import load_predictions
from study.records.reading import load_images
from study.wandb.content import EARLIER_PREDICTIONS, PREDICTIONS, Fetched, add_files, run_row
from study.wandb.restore import fault_of, restore
from study.wandb.source import Source


@pytest.mark.parametrize("epochs", [[], [0, 1, 2], [0, 1, 3], [1, 2, 3]])
def test_a_run_whose_history_is_not_whole_gives_no_records(
    epochs: list[int], tmp_path: Path
) -> None:
    record = {"study": "name: small\nseeds: 2\n"}
    rows = [{"epoch": epoch} for epoch in epochs]
    config = {"study": "small", "record": record, "evaluate_every": 1, "run": "a"}
    fetched = Fetched("a", config, rows, {"status": "fitted", "epoch": 3}, [], [])
    left_out: list[str] = []
    with pytest.raises(study.BadInput, match="expected a run of a study that has ended, found 0"):
        restore([fetched], tmp_path / "out", left_out.append)
    assert left_out[0].startswith("a: its history lacks epochs, the first ")
    assert not (tmp_path / "out").exists()


def test_two_studies_of_one_group_are_not_mixed() -> None:
    record = {"study": "name: other\n"}
    config = {"study": "other", "record": record, "evaluate_every": 1, "run": "a"}
    fetched = Fetched("a", config, [{"epoch": 0}], {"status": "fitted", "epoch": 0}, [], [])
    assert fault_of(fetched, "") == ""
    assert fault_of(fetched, "small") == "a run of the study other, not of small"


FORMAT1 = Path(__file__).parents[1] / "data_folders" / "format1"


def fetched_runs(root: Path) -> list[Fetched]:
    """Return the runs of a recorded study as W&B would give them back."""
    ids = [run.id for run, _, _ in study.records.reading.recorded(FORMAT1)]
    found = []
    for number, each in enumerate(Source(FORMAT1).recorded(ids)):
        fetched = Fetched(each.run, each.config, each.rows, dict(each.summary), [], [])
        folder = root / f"files{number}"
        (folder / "images").mkdir(parents=True)
        assert each.predictions is not None
        (folder / PREDICTIONS).write_bytes(parquet(each.predictions))
        for name in each.images:
            shutil.copy(FORMAT1 / "images" / f"{name}.npy", folder / "images")
        add_files(fetched, folder)
        found.append(fetched)
    return found


def test_predictions_of_the_first_format_come_back_from_either_file(tmp_path: Path) -> None:
    one, other, *rest = fetched_runs(tmp_path)
    # An earlier version sent a list of rows.
    (tmp_path / EARLIER_PREDICTIONS).write_text(json.dumps(other.predictions[0].to_pylist()))
    rows = other._replace(predictions=[])
    add_files(rows, tmp_path)
    out, number = restore([one, rows, *rest], tmp_path / "out", pytest.fail)
    assert number == 4
    order = ["run", "part", "example"]
    frames = [load_predictions(folder).sort_values(order) for folder in (out, FORMAT1)]
    pd.testing.assert_frame_equal(*(f.reset_index(drop=True) for f in frames), check_dtype=False)
    assert load_images(out).keys() == load_images(FORMAT1).keys()


def test_damaged_predictions_are_bad_input(tmp_path: Path) -> None:
    fetched = Fetched("a", {}, [], {}, [], [])
    (tmp_path / EARLIER_PREDICTIONS).write_text("[{")
    with pytest.raises(study.BadInput, match="expected predictions as JSON"):
        add_files(fetched, tmp_path)
    (tmp_path / PREDICTIONS).write_bytes(b"PAR1")
    with pytest.raises(study.BadInput, match="expected predictions as a whole parquet file"):
        add_files(fetched, tmp_path)


def test_of_two_runs_in_wandb_with_one_id_the_first_gives_the_records(tmp_path: Path) -> None:
    first, other, *_ = fetched_runs(tmp_path)
    again = first._replace(id="again", summary={**first.summary, "seconds": 1e9})
    left_out: list[str] = []
    out, number = restore([first, again, other], tmp_path / "out", left_out.append)
    assert number == 2
    assert left_out == [f"again: the run {first.config['run']}, which is there already"]
    runs, history = study.load(out)
    assert sorted(runs["run"]) == sorted([first.config["run"], other.config["run"]])
    assert runs["seconds"].max() < 1e9
    assert len(history) == 10
    assert history["gradient_cosine"].notna().all()  # a column of earlier versions
    # A second pull finds both there.
    assert restore([first, other], out, left_out.append)[1] == 0


def test_of_two_runs_in_wandb_with_one_id_the_one_with_predictions_gives_the_records(
    tmp_path: Path,
) -> None:
    whole = fetched_runs(tmp_path)[0]
    cut = whole._replace(id="cut", predictions=[], images=[])  # its files were not sent
    left_out: list[str] = []
    out, number = restore([cut, whole], tmp_path / "out", left_out.append)
    assert number == 1
    assert left_out == [f"cut: the run {whole.config['run']}, which is there already"]
    assert set(load_predictions(out)["run"]) == {whole.config["run"]}


@pytest.mark.parametrize(
    "changed", [{"run": "000000000000"}, {"run": None}], ids=["another id", "no id"]
)
def test_a_run_whose_facts_do_not_give_its_id_gives_no_row(
    changed: dict[str, str], tmp_path: Path
) -> None:
    one = fetched_runs(tmp_path)[0]
    assert run_row(one.config, one.summary)["run"] == one.config["run"]
    with pytest.raises(study.BadInput, match=f"expected facts that give the id {changed['run']}"):
        run_row({**one.config, **changed}, one.summary)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("lab", "pull: expected ENTITY/PROJECT/GROUP, found 'lab'"),
        ("lab/study/other", "pull: expected runs of lab/study/other, found 0"),
    ],
)
def test_pulling_what_is_not_there_is_one_line(source: str, complaint: str, tmp_path: Path) -> None:
    with Loopback() as server:
        done = subprocess.run(
            [sys.executable, "-m", "study.wandb", "pull", source, "--out", str(tmp_path / "out")],
            env={**os.environ, **environment(server, tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_run_on_the_server_that_holds_anything_else_is_left_out_by_name(
    tmp_path: Path,
) -> None:
    out, back = shutil.copytree(FORMAT1, tmp_path / "results"), tmp_path / "back"
    with Loopback() as server:
        own = {**os.environ, **environment(server, tmp_path), "WANDB_ENTITY": "lab"}

        def command(*argv: str) -> subprocess.CompletedProcess[str]:
            whole = [sys.executable, "-m", "study.wandb", *argv]
            return subprocess.run(whole, env=own, capture_output=True, text=True, check=False)

        assert "4 runs sent" in command("push", str(out)).stdout
        first, second, *_ = server.runs.values()
        first.summary = [1]  # type: ignore[assignment]
        second.raw_config["record"] = {"value": 7}
        group = f"{second.entity}/{second.project}/{second.group}"
        done = command("pull", group, "--out", str(back))
    assert "2 runs" in done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    for run in (first, second):
        assert sum(line.startswith(f"left out: {run.id}: ") for line in lines) == 1


def test_reading_what_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert study_wandb("read", str(tmp_path)) == 2
    assert "expected folders offline-run-*, found 0" in capsys.readouterr().err
    (tmp_path / ".writing-1" / "wandb" / "offline-run-1-a").mkdir(parents=True)
    assert study_wandb("read", str(tmp_path)) == 2
    assert "expected folders offline-run-*, found 0" in capsys.readouterr().err
    (tmp_path / "offline-run-1-a").mkdir()
    (tmp_path / "offline-run-1-a" / "run-a.wandb").write_bytes(b"something else")
    assert study_wandb("read", str(tmp_path)) == 2
    assert "expected a file of an offline W&B run" in capsys.readouterr().err
