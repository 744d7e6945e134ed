"""Results folders that earlier versions wrote are committed here and must load for ever.

``format1`` is a study of digits, two seeds with and without label noise, trained for four epochs.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from fit_cases import fit

import study
from study.records.arrays import weights_hash
from study.records.predictions import load_predictions
from study.records.reading import load_images, read_config, recorded
from study.remove import main as remove

FORMAT1 = Path(__file__).parents[1] / "data_folders" / "format1"
RUNS = ["62f2ab0a2792", "f0646acf6aac", "4e1ee80ce7e2", "b42f493621cf"]  # by seed, then id


def test_runs_and_history_have_the_recorded_values() -> None:
    runs, history = study.load(FORMAT1)
    assert runs["run"].tolist() == RUNS
    assert runs["seed"].tolist() == [0, 0, 1, 1]
    assert runs["data.label_noise"].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert set(runs["status"]) == {"finished"}
    assert set(runs["parameters"]) == {2410}
    assert runs["weights_hash"][0][:16] == "ea06c27bdee8a2ff"
    assert history.groupby("run").size().tolist() == [5] * 4
    last = history[history["epoch"] == 4].set_index("run")["train_cross_entropy"]
    found = [last[run] for run in RUNS]
    expected = [2.145250449577967, 2.26015927195549, 2.137874569892883, 2.291956418355306]
    assert found == expected
    assert history["gradient_cosine"].min() > 0.999
    assert history["gradient_true_norm"].notna().all()


def test_facts_that_are_younger_have_the_values_that_such_runs_had() -> None:
    runs, history = study.load(FORMAT1)
    assert runs["data.validation_examples"].tolist() == [0] * 4
    assert runs["data.validation_examples"].dtype.kind == "i"
    for key in ("dropout", "input_dropout", "label_smoothing", "init_scale"):
        found = runs[f"model.{key}"]
        assert found.tolist() == [float(key == "init_scale")] * 4
        assert found.dtype.kind == "f"
    assert not [name for name in history if name.startswith("validation")]


def test_runs_are_made_again_from_their_facts() -> None:
    entries = recorded(FORMAT1)
    assert [run.id for run, _, _ in entries] == RUNS
    assert [row["epoch"] for row in entries[0][2]] == [0, 1, 2, 3, 4]
    assert read_config(FORMAT1)["name"] == "format1"


def test_predictions_and_their_images_are_read() -> None:
    predictions = load_predictions(FORMAT1)
    assert len(predictions) == 4 * 300
    first = predictions[predictions["run"] == RUNS[0]].iloc[0]
    assert first[["example", "label", "said", "place"]].tolist() == [4, 4, 0, 0]
    assert load_images(FORMAT1)[first["images"]].shape == (24, 64)


@pytest.mark.parametrize("run", RUNS)
def test_networks_have_the_recorded_weights(run: str) -> None:
    network = study.load_network(FORMAT1, run)
    runs, _ = study.load(FORMAT1)
    recorded_hash = runs.set_index("run").loc[run, "weights_hash"]
    assert weights_hash(dict(network.state_dict())) == recorded_hash
    assert isinstance(network[1], torch.nn.ReLU)


def test_a_network_gives_the_logits_that_it_gave() -> None:
    network = study.load_network(FORMAT1, RUNS[0])
    with torch.no_grad():
        logits = network(torch.ones(1, 64))
    assert logits[0, 0].item() == pytest.approx(0.3793468773, rel=1e-5)


def test_a_half_trained_folder_goes_on_to_the_bits_of_one_trained_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = shutil.copytree(FORMAT1, tmp_path / "half")
    assert remove([str(half), "--where", "seed=1", "--yes"]) == 0
    config = half / "study.yaml"
    for out in (half, tmp_path / "whole"):
        assert fit(config, out) == 0
    columns = ["run", "weights_hash", "test_cross_entropy"]
    ours, theirs = (study.load(out).runs[columns] for out in (half, tmp_path / "whole"))
    assert ours["run"].tolist() == RUNS
    assert ours[2:].equals(theirs[2:])
    capsys.readouterr()


def test_unfinished_runs_of_the_first_version_are_refused_in_a_line_that_says_how_to_finish(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = shutil.copytree(FORMAT1, tmp_path / "half")
    (half / "checkpoints").mkdir()
    (half / "checkpoints" / "0123456789ab-abcdef-000003.safetensors").touch()
    before = {path: path.stat().st_mtime_ns for path in half.rglob("*")}
    assert fit(half / "study.yaml", half) == 0  # all runs are recorded: nothing is unfinished
    capsys.readouterr()
    assert fit(half / "study.yaml", half, "--seeds", "3") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "finish the study with the version that began it, or remove the folder" in line
    assert {path: path.stat().st_mtime_ns for path in half.rglob("*")} == before
