"""Measures in a study: which are taken, those added to recorded runs, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from helpers import SMALL

import study
from study.diff import main as diff
from study.fit import main
from study.records import parquet
from study.records.live import tasks_of
from study.verify import main as verify

MINE = """
import math

from study.measures import Measure


def sharpness(network, data, random):
    images, labels = data.train_part(slice(0, 50)), data.labels[:50]
    shift = random.normal(tuple(images.shape))
    moved = images + images.new_tensor(shift)
    changed = (network(images).argmax(-1) != network(moved).argmax(-1)).double().mean().item()
    return {"sharpness": changed, "first_draw": shift[0, 0]}


mine = Measure(sharpness, {"sharpness": "Share of answers that noise changes.", "first_draw": "."})
clash = Measure(sharpness, {"test_accuracy": "Not its own."})
seed = Measure(sharpness, {"weights_norm": "That of another measure."}, at="end")
wrong = Measure(sharpness, {"other": "What it does not return."})
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "measures_of_mine.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.replace("max_epochs: 6", "max_epochs: 2"))
    return path


def fit(config: Path, out: Path, *more: str) -> int:
    return main(["--config", str(config), "--out", str(out), *more])


def files(out: Path) -> dict[Path, bytes]:
    kinds = ("runs", "history", "answers", "weights")
    return {path: path.read_bytes() for kind in kinds for path in (out / kind).iterdir()}


ALL = "[gradient_probe, weight_norms, margins, measures_of_mine:mine]"


def test_measures_added_later_are_those_taken_at_once_and_touch_nothing(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later, once = tmp_path / "later", tmp_path / "once"
    assert fit(config, later) == 0
    before = files(later)
    capsys.readouterr()
    assert fit(config, later, "--measures", ALL, "--plan") == 0
    assert "4 recorded runs trained again, for measures not recorded" in capsys.readouterr().out
    assert fit(config, later, "--measures", ALL) == 0
    assert files(later) == before
    capsys.readouterr()
    assert fit(config, later, "--measures", ALL) == 0
    assert "all 4 runs are recorded already" in capsys.readouterr().out
    assert fit(config, once, "--measures", ALL) == 0
    assert not (once / "measures").exists()  # no run is trained twice
    assert sum(task["ended"] for task in tasks_of(once)) == 4
    ours, theirs = study.load(later), study.load(once)
    order = list(theirs.history)
    pd.testing.assert_frame_equal(ours.history[order], theirs.history)
    measured = [name for name in order if name.startswith(("weights_", "margin_", "sharp", "firs"))]
    pd.testing.assert_frame_equal(ours.runs[measured], theirs.runs[measured])
    assert ours.runs[measured].notna().all(axis=None)
    ends = ours.history[ours.history["epoch"] < 2][["weights_norm", "margin_50"]]
    assert ends.isna().all(axis=None)  # they are taken at the end
    assert ours.history["sharpness"].notna().all()
    # Its stream is addressed: another number for each seed and epoch, the same for each arm.
    draws = ours.history.merge(ours.runs[["run", "seed"]], on="run")
    assert draws.groupby(["seed", "epoch"])["first_draw"].nunique().tolist() == [1] * 6
    assert draws["first_draw"].nunique() == 6
    network = study.load_network(later, ours.runs["run"][0])
    norm = torch.cat([each.detach().flatten() for each in network.parameters()]).norm().item()
    assert ours.runs["weights_norm"][0] == pytest.approx(norm, rel=1e-6)
    assert diff([str(later), str(once)]) == 0
    capsys.readouterr()
    assert verify([str(later), "--runs", "2"]) == 0
    assert capsys.readouterr().out.count("same bits") == 2


def test_a_run_whose_weights_differ_gets_no_columns_and_is_named(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert fit(config, out, "--seeds", "1") == 0
    (path,) = (out / "runs").iterdir()
    table = parquet.read_part(path)
    assert table is not None
    hashes = ["0" * 64, table["weights_hash"][1].as_py()]
    at = table.column_names.index("weights_hash")
    path.write_bytes(parquet.parquet(table.set_column(at, "weights_hash", [hashes])))
    capsys.readouterr()
    assert fit(config, out, "--seeds", "1", "--measures", "[gradient_probe, weight_norms]") == 1
    said = capsys.readouterr().out
    assert "1 failed" in said
    assert "its weights differ from the recorded ones, so nothing was added" in said
    runs = study.load(out).runs.set_index("weights_hash")
    assert runs["weights_norm"].notna().to_dict() == {hashes[0]: False, hashes[1]: True}


def test_no_measure_at_all_leaves_its_columns_out(config: Path, tmp_path: Path) -> None:
    assert fit(config, tmp_path / "out", "--seeds", "1", "--measures", "[]") == 0
    assert not [name for name in study.load(tmp_path / "out").history if "gradient" in name]


@pytest.mark.parametrize(
    ("measures", "complaint"),
    [
        ("[margin]", "found 'margin'; did you mean 'margins'?"),
        ("[measures_of_mine:nothing]", "measures: expected a measure that can be imported"),
        ("[measures_of_mine:sharpness]", "measures: expected a measure, a study.measures.Measure"),
        ("[measures_of_mine:clash]", "found 'test_accuracy'; every record has it, too"),
        ("[weight_norms, measures_of_mine:seed]", "found 'weights_norm'; weight_norms has it, too"),
        ("[margins, margins]", "measures: expected each measure once, found 'margins'"),
    ],
)
def test_what_is_no_measure_or_clashes_is_refused_before_anything_is_written(
    measures: str, complaint: str, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(config, tmp_path / "out", "--measures", measures) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_measure_that_returns_other_columns_fails_the_run(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = ("--seeds", "1", "--vary", "{}", "--measures", "[measures_of_mine:wrong]")
    assert fit(config, tmp_path / "out", *one) == 1
    assert "expected the columns ['other'], found ['sharpness'" in capsys.readouterr().out
