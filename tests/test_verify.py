"""`study.verify` says the same bits where they are the same, and only there."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers import SMALL

import study
from study.fit import main as fit
from study.fitting.verification import largest_difference
from study.nn import products
from study.nn.products import available
from study.records.writing import Folder
from study.verify import main

FORMAT1 = Path(__file__).parent / "data_folders" / "format1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config = tmp_path / "small.yaml"
    config.write_text(SMALL)
    assert fit(["--config", str(config), "--out", str(tmp_path / "out")]) == 0
    return tmp_path / "out"


def change(path: Path, column: str, value: object) -> None:
    table = pq.read_table(path)
    index = table.schema.get_field_index(column)
    array = pa.array([value] * len(table), type=table.schema.types[index])
    pq.write_table(table.set_column(index, column, array), path)


def test_untouched_records_hold(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main([str(folder), "--runs", "3"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "records of 4 runs: everything that has a hash agrees with it"
    assert [line.endswith("same bits") for line in lines] == [True, True, True, False]
    assert lines[-1] == "3 of 3 retrained runs hold (4 recorded)"


def test_runs_are_chosen_by_id_and_by_facts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = study.load(folder).runs.set_index("run")
    noisy = runs.index[runs["data.label_noise"] == 1].tolist()
    capsys.readouterr()
    assert main([str(folder), "--where", "data.label_noise=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:12] for line in lines[1:-1]] == noisy
    assert main([str(folder), "--run", noisy[0], "--run", noisy[1], "--where", "seed=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:12] for line in lines[1:-1]] == noisy[1:]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--run", "0" * 12], "--run: expected one of 4 recorded runs"),
        (["--where", "data.labelnoise=1"], "did you mean 'data.label_noise'?"),
        (["--where", "data.label_noise"], "--where: expected KEY=VALUE"),
        (["--runs", "0"], "--runs: expected a number of at least 1, found 0"),
        (["--records", "--where", "seed=1"], "--records: expected no option beside it"),
    ],
)
def test_what_chooses_nothing_is_bad_input(
    options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(FORMAT1), *options]) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("part", "column", "value", "said"),
    [
        ("history", "test_accuracy", 0.99, "history (by "),
        ("runs", "weights_hash", "0" * 64, "weights"),
        ("runs", "status", "fitted", "status"),
        ("answers", "epoch", 3, "predictions"),
    ],
)
def test_a_record_changed_by_hand_does_not_hold(
    part: str,
    column: str,
    value: object,
    said: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for path in (folder / part).iterdir():
        change(path, column, value)
    assert main([str(folder), "--runs", "1"]) == 1
    out = capsys.readouterr().out
    assert f"NOT within the declared tolerance of 0: differs in {said}" in out
    assert "from the recorded hash" in out


def test_a_declared_tolerance_is_allowed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = Folder(folder.parent / "tolerant", "small")
    out.begin((folder / "study.yaml").read_text())
    (path,) = (folder / "environment").iterdir()
    environment = {**json.loads(path.read_text()), "tolerance": 1e-5}
    name = out.write_environment(environment)
    for path in (folder / "runs").iterdir():
        for row in pq.read_table(path).drop_columns(["hashes"]).to_pylist():
            history = pq.read_table(folder / "history" / path.name).to_pylist()
            its = [epoch for epoch in history if epoch["run"] == row["run"]]
            its[-1]["test_cross_entropy"] *= 1 + 1e-5
            row |= {"environment": name, "weights_hash": "0" * 64}
            out.write_part([row], its)
    capsys.readouterr()
    assert main([str(out.path), "--runs", "1"]) == 0
    said = capsys.readouterr().out
    assert " within the declared tolerance of 0.00018: differs in history (by 1e-05)\n" in said
    assert "not compared: weights (not kept); predictions (not kept)" in said


@pytest.mark.skipif("onednn" not in available(), reason="torch without oneDNN")
def test_products_take_the_recorded_route(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config, out = tmp_path / "wide.yaml", tmp_path / "out"
    config.write_text(SMALL)
    wide = ["--config", str(config), "--out", str(out), "--model.hidden", "[1024]"]
    assert fit([*wide, "--products", "onednn"]) == 0
    # Here both the next seeds and verify would find torch's BLAS the faster one.
    monkeypatch.setattr(products, "_fastest", lambda shape: "blas")
    assert fit([*wide, "--seeds", "3"]) == 0
    environments = [json.loads(path.read_text()) for path in (out / "environment").iterdir()]
    assert {route for each in environments for route in each["routes"].values()} == {"onednn"}
    capsys.readouterr()
    assert main([str(out), "--runs", "6"]) == 0
    assert "6 of 6 retrained runs hold" in capsys.readouterr().out


def test_changed_data_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (folder / "runs").iterdir():
        change(path, "data_hash", "0" * 64)
    assert main([str(folder)]) == 2
    assert "the data set differs from the recorded one" in capsys.readouterr().err


def test_a_folder_without_records_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert "no study.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("root", ["", " ", "a\0b", "~nosuchuser/a"])
def test_a_root_that_is_no_folder_is_bad_input(
    root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--root", root]) == 2
    assert capsys.readouterr().err.startswith("study.verify: --root: expected a folder, found ")


def test_differences_are_relative_and_missing_values_equal() -> None:
    old = [{"run": "a", "epoch": 0, "loss": 2.0, "none": float("nan")}]
    new = [{"run": "a", "epoch": 0, "loss": 2.5, "none": float("nan")}]
    assert largest_difference(old, old) == 0
    assert largest_difference(old, new) == 0.25
    assert largest_difference(old, []) == float("inf")
    assert largest_difference(old, [{**old[0], "loss": float("nan")}]) == float("inf")


def test_two_infinities_are_equal_and_columns_of_one_version_are_not_compared() -> None:
    old = [{"run": "a", "epoch": 0, "loss": math.inf, "earlier": 1.0}]
    new = [{"run": "a", "epoch": 0, "loss": math.inf, "later": 1.0}]
    assert largest_difference(old, new) == 0
    assert largest_difference(old, [{**new[0], "loss": -math.inf}]) == math.inf
    assert largest_difference(old, [{**new[0], "loss": 1.0}]) == math.inf


def test_records_of_an_earlier_version_hold(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {
        "gradient_exact_norm": "gradient_true_norm",
        "gradient_exact_cosine": "gradient_cosine",
    }
    later = ["train_accuracy_redrawn_true", "gradient_zero_share", "gradient_exact_largest_g"]
    later += ["gradient_autograd_distance"]
    for path in (folder / "history").iterdir():
        table = pq.read_table(path).drop_columns(later)
        earlier = table.rename_columns(names)
        pq.write_table(earlier.replace_schema_metadata(table.schema.metadata), path)
    for path in (folder / "runs").iterdir():
        table = pq.read_table(path)
        earlier = table.drop_columns(["hashes"])
        pq.write_table(earlier.replace_schema_metadata(table.schema.metadata), path)
    (path,) = (folder / "environment").iterdir()
    environment = json.loads(path.read_text())
    del environment["record_hashes"]
    path.unlink()
    name = Folder(folder, "small").write_environment(environment)
    for path in (folder / "runs").iterdir():
        change(path, "environment", name)
    assert main([str(folder), "--runs", "1"]) == 0
    said = capsys.readouterr().out
    assert "same bits" in said
    assert "gradient_true_norm (not recomputed)" in said
    assert "gradient_exact_norm (not recorded)" in said


def test_records_of_any_optimizer_s_arguments_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "small.yaml"
    config.write_text(SMALL)
    out = tmp_path / "out"
    argv = ["--config", str(config), "--seeds", "1", "--out", str(out)]
    sgd = "{class_path: torch.optim.SGD, init_args: {lr: 0.1, foreach: null}}"
    decays = "{optimizer.weight_decay: [0, 0.0001]}"
    assert fit([*argv, "--optimizer", sgd, "--vary", decays]) == 0
    # Its eps is a list where the others' is a number, or none.
    factor = "{class_path: torch.optim.Adafactor, init_args: {eps: [1.0e-10, 1.0e-3]}}"
    assert fit([*argv, "--optimizer", factor, "--vary", "{}"]) == 0
    assert fit([*argv, "--vary", "{}"]) == 0
    capsys.readouterr()
    assert main([str(out), "--runs", "4"]) == 0
    assert "4 of 4 retrained runs hold" in capsys.readouterr().out
