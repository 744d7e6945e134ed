"""The command, end to end: what it leaves, what it does when called again, what it refuses."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import pytorch_lightning as pl
import yaml
from fit_cases import command_line, fit

import study
from study.records.columns import history_columns, run_columns
from study.records.predictions import PREDICTION_COLUMNS, load_predictions
from study.records.reading import load_images


def test_a_study_leaves_the_records_it_documents(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a folder with spaces"
    assert fit(config, out) == 0
    runs, history = study.load(out)
    assert set(runs.columns) == set(run_columns())
    assert set(history.columns) == set(history_columns())
    assert len(runs) == 4
    assert runs.groupby("data.label_noise")["seed"].apply(sorted).tolist() == [[0, 1], [0, 1]]
    assert history.groupby("run")["epoch"].apply(list).tolist() == [list(range(7))] * 4
    assert runs["status"].tolist() == ["finished"] * 4
    assert (runs["seconds"] > 0).all()
    assert runs["epochs_to_fit"].isna().all()
    assert len(set(runs["data_hash"])) == 1
    assert len(set(runs["labels_hash"])) == 4
    assert (out / "environment" / f"{runs['environment'][0]}.json").is_file()
    kept, images = load_predictions(out), load_images(out)
    assert set(kept.columns) == set(PREDICTION_COLUMNS)
    assert kept.groupby("run").size().tolist() == [200 + 360] * 4
    pictured = kept.dropna(subset=["images"]).merge(runs[["run", "seed"]], on="run")
    # Subsets differ by seed: images are kept for the first seed, and are the same in both arms.
    assert set(pictured["images"]) == set(images)
    assert len(images) == 1
    assert set(pictured["seed"]) == {0}
    assert pictured.groupby("run")["place"].apply(list).tolist() == [[*range(200)]] * 2
    assert list((out / "checkpoints").iterdir()) == []
    assert sorted(path.name for path in out.rglob("*.part")) == []
    last = runs.set_index("run")
    tested = kept[kept["part"] == "test"]
    accuracy = (tested["said"] == tested["label"]).groupby(tested["run"]).mean()
    assert accuracy.to_dict() == last["test_accuracy"].to_dict()
    assert history.groupby("run")["test_accuracy"].last().to_dict() == accuracy.to_dict()
    printed = capsys.readouterr().out
    assert "at most about 0.1 MiB on disk: weights 0.0, predictions" in printed
    assert re.search(r"label_noise 0 .*± .* 0/2 +0", printed)
    assert str(out) in printed


def test_a_kept_network_gives_the_recorded_accuracy_and_needs_no_package(
    config: Path, tmp_path: Path
) -> None:
    assert fit(config, tmp_path / "out", "--seeds", "1") == 0
    runs, history = study.load(tmp_path / "out")
    row = runs[runs["data.label_noise"] == 0].iloc[0]
    network = study.load_network(tmp_path / "out", row["run"])
    data = study.StudyData(
        study.Run.of({"data.dataset": "digits", "data.train_examples": 300, "seed": 0})
    )
    data.setup()
    (images, labels), *_ = data.test_dataloader()
    accuracy = (network(images).argmax(-1) == labels).double().mean().item()
    last = history[history["run"] == row["run"]].iloc[-1]
    assert accuracy == pytest.approx(last["test_accuracy"], abs=1e-12)
    assert {type(module).__module__ for module in network.modules()} == {
        "torch.nn.modules.container",
        "torch.nn.modules.linear",
        "torch.nn.modules.activation",
    }


def test_weights_and_predictions_are_left_out_when_asked(config: Path, tmp_path: Path) -> None:
    without = ("--keep_weights", "false", "--keep_predictions", "false")
    assert fit(config, tmp_path / "out", *without, "--seeds", "1") == 0
    for kind in ("weights", "answers", "images"):
        assert not (tmp_path / "out" / kind).exists()
    assert load_predictions(tmp_path / "out").empty
    runs, _ = study.load(tmp_path / "out")
    with pytest.raises(study.BadInput, match="run_id"):
        study.load_network(tmp_path / "out", runs["run"][0])


def test_the_same_command_again_trains_nothing_and_touches_nothing(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert fit(config, out) == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    capsys.readouterr()
    assert fit(config, out) == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    assert "all 4 runs are recorded already" in capsys.readouterr().out


def test_more_seeds_are_added_and_the_earlier_config_is_kept(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert fit(config, out, "--seeds", "1") == 0
    first, first_history = study.load(out)
    assert fit(config, out, "--seeds", "3") == 0
    runs, history = study.load(out)
    assert len(runs) == 6
    both = runs.merge(first, on="run", suffixes=("", "_first"))
    assert len(both) == 2
    assert both["seconds"].equals(both["seconds_first"])
    kept = history[history["run"].isin(first["run"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, first_history)
    assert yaml.safe_load((out / "study.yaml").read_text())["seeds"] == 3
    assert yaml.safe_load((out / "study.1.yaml").read_text())["seeds"] == 1


def test_the_config_it_leaves_runs_again(config: Path, tmp_path: Path) -> None:
    assert fit(config, tmp_path / "first", "--optimizer.lr", "0.01") == 0
    assert fit(tmp_path / "first" / "study.yaml", tmp_path / "second") == 0
    (first, _), (second, _) = (study.load(tmp_path / name) for name in ("first", "second"))
    assert first["run"].tolist() == second["run"].tolist()
    assert first["weights_hash"].tolist() == second["weights_hash"].tolist()


def test_stack_size_does_not_change_the_records(config: Path, tmp_path: Path) -> None:
    assert fit(config, tmp_path / "one", "--stack", "1") == 0
    assert fit(config, tmp_path / "all", "--stack", "16") == 0
    (one, one_history), (every, every_history) = (
        study.load(tmp_path / name) for name in ("one", "all")
    )
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), every.drop(columns="seconds"))
    pd.testing.assert_frame_equal(one_history, every_history)


def test_brackets_in_paths_and_options_are_printed_as_they_are(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a[/x]"
    vary = "{data.inputs: [original, gaussian]}"
    assert fit(config, out, "--vary", vary, "--seeds", "1") == 0
    printed = "".join(capsys.readouterr().out.split())
    assert str(out) in printed
    assert "inputsgaussian" in printed


def test_any_torch_optimizer_trains_and_resumes(config: Path, tmp_path: Path) -> None:
    momentum = ["--optimizer.class_path", "torch.optim.SGD", "--optimizer.init_args.lr", "0.1"]
    momentum += ["--optimizer.init_args.momentum", "0.9"]
    assert fit(config, tmp_path / "out", *momentum) == 0
    runs, _ = study.load(tmp_path / "out")
    assert runs["optimizer.class_path"].tolist() == ["torch.optim.SGD"] * 4
    assert runs["optimizer.momentum"].tolist() == [0.9] * 4


def test_lightning_s_callbacks_and_loggers_are_made_from_the_config(
    config: Path, tmp_path: Path
) -> None:
    more = tmp_path / "more.yaml"
    more.write_text(f"""
trainer:
  logger: [{{class_path: pytorch_lightning.loggers.CSVLogger, init_args: {{save_dir: {tmp_path}}}}}]
  callbacks:
    - class_path: pytorch_lightning.callbacks.ModelCheckpoint
      init_args: {{dirpath: {tmp_path}/kept, monitor: test_accuracy}}
    - class_path: pytorch_lightning.callbacks.ModelSummary
""")
    assert fit(config, tmp_path / "out", "--config", str(more), "--seeds", "1") == 0
    assert list((tmp_path / "kept").glob("*.ckpt"))
    metrics = pd.read_csv(next(tmp_path.rglob("metrics.csv")))
    assert "test_accuracy" in metrics


def test_a_diverging_arm_is_recorded_as_such(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vary = '{"optimizer.lr": [0.001, 1e30]}'
    assert fit(config, tmp_path / "out", "--vary", vary) == 0
    runs, _ = study.load(tmp_path / "out")
    assert runs.groupby("optimizer.lr")["status"].unique().map(list).tolist() == [
        ["finished"],
        ["diverged"],
    ]
    assert re.search(r"lr 1e\+30 .* 0/2 +2", capsys.readouterr().out)


def test_a_plan_trains_and_writes_nothing(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(config, tmp_path / "out", "--plan") == 0
    assert not (tmp_path / "out").exists()
    printed = capsys.readouterr().out
    assert "4 runs (2 arms x 2 seeds), 0 of them already recorded" in printed
    parameters = (64 + 1) * 32 + (32 + 1) * 10
    stack = f"stack 1: 4 runs, 4 at once; layers 64-32-10, {parameters:,} parameters a run"
    assert stack in printed
    assert "at most 72 steps" in printed  # 4 runs, 6 epochs, 3 batches
    assert "  label_noise 0; label_noise 1\n" in printed
    assert re.search(r"at most about 1 min on \d+ cores? of a CPU", printed)


def test_the_plan_of_a_study_that_is_recorded_says_that_nothing_is_left(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(config, tmp_path / "out") == 0
    capsys.readouterr()
    assert fit(config, tmp_path / "out", "--plan") == 0
    assert capsys.readouterr().out.splitlines() == [
        "small: 4 runs (2 arms x 2 seeds), 4 of them already recorded",
        "nothing is left to train",
    ]


@pytest.mark.parametrize("plan", [[], ["--plan"]], ids=["train", "plan"])
@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        (
            "callbacks",
            "{class_path: pytorch_lightning.callbacks.EarlyStopping,"
            " init_args: {monitor: train_accuracy}}",
            "a callback that only observes, found 'EarlyStopping'; it sets trainer.should_stop,"
            " which affects every run of a stack: say when a run ends by stop.train_accuracy",
        ),
        (
            "callbacks",
            "{class_path: pytorch_lightning.callbacks.RichProgressBar}",
            "no progress bar, as study.fit shows one for all runs, found 'RichProgressBar'",
        ),
        ("callbacks", "{class_path: sys.exit}", "a Lightning Callback, found 'sys.exit'"),
        ("logger", "{class_path: sys.exit}", "a Lightning Logger, found 'sys.exit'"),
        (
            "callbacks",
            "{class_path: test_fit.Leaves}",
            "a class and the arguments it takes, found 'test_fit.Leaves'; 0",
        ),
    ],
    ids=["stops", "bar", "exit", "exit as logger", "exits"],
)
def test_what_a_stack_cannot_have_beside_it_is_refused_before_anything_is_written(
    key: str,
    given: str,
    expected: str,
    plan: list[str],
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert fit(config, tmp_path / "out", f"--trainer.{key}", f"[{given}]", *plan) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"study.fit: trainer.{key}[0]: expected {expected}")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


class Leaves(pl.Callback):
    """Ends the process when it is made."""

    def __init__(self) -> None:
        sys.exit(0)


@pytest.mark.slow
def test_in_the_plainest_locale_a_path_with_an_accent_is_trained_in_and_read(
    config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "\u00e9t\u00e9"
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    argv = command_line(config, out, "--wandb.mode", "offline", "--data.root", str(out))
    environment = {**os.environ, **plain}
    for command in (argv, argv, [sys.executable, "-m", "study.status", str(out)]):
        done = subprocess.run(command, env=environment, capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"\nW&B: " not in done.stdout  # that is how a failure of the client begins
    assert str(out).encode() in subprocess.run(argv, env=environment, capture_output=True).stdout
    assert len(list(out.glob("wandb/offline-run-*"))) == 4
    runs, _ = study.load(out)
    assert len(runs) == 4
    assert study.load_network(out, runs["run"][0])


def test_nothing_heavy_is_imported_for_help_plans_and_the_package_itself(config: Path) -> None:
    heavy = ["torch", "pytorch_lightning", "seaborn", "wandb", "torchvision", "sklearn"]
    script = f"""
import sys, study
from study.fit import main
assert main(["--config", {str(config)!r}, "--plan"]) == 0
try:
    main(["--help"])
except SystemExit as stop:
    assert stop.code == 0
print("imported:", [name for name in {heavy} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "imported: []", done.stderr
