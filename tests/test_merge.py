"""`study.merge` joins folders of one study's shares, whole or not at all, and no others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from fit_cases import compare, fit

import study
from study.merge import main
from study.records.checkpoints import Checkpoints, saved_runs
from study.records.live import LiveFile
from study.records.parquet import parquet
from study.records.predictions import load_predictions
from study.records.reading import load_images
from study.remove import main as remove
from study.runs.config import study_in
from study.runs.progress import Progress
from study.sharing.locks import Locks

FORMAT1 = Path(__file__).parent / "data_folders" / "format1"


@pytest.fixture
def shares(tmp_path: Path) -> list[Path]:
    """Make two folders that have recorded a seed of one study each."""
    made = []
    for seed in (0, 1):
        made.append(shutil.copytree(FORMAT1, tmp_path / f"share {seed}"))
        assert remove([str(made[-1]), "--where", f"seed={1 - seed}", "--yes"]) == 0
    return made


def merge(folders: list[Path], out: Path) -> int:
    return main([*map(str, folders), "--out", str(out)])


def test_shares_join_to_the_whole(
    shares: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "whole"
    assert merge(shares, out) == 0
    assert f"{out}: 4 of 4 runs recorded\n" in capsys.readouterr().out
    for found, whole in zip(study.load(out), study.load(FORMAT1), strict=True):
        pd.testing.assert_frame_equal(found, whole, check_exact=True)
    rows = [load_predictions(at).sort_values(["run", "example"]) for at in (out, FORMAT1)]
    pd.testing.assert_frame_equal(*(each.reset_index(drop=True) for each in rows))
    assert load_images(out).keys() == load_images(FORMAT1).keys()
    assert len(list((out / "weights").iterdir())) == 4
    assert (out / "study.yaml").read_bytes() == (FORMAT1 / "study.yaml").read_bytes()
    assert {path.name for path in out.parent.iterdir()} == {"whole"}


@pytest.mark.slow  # trains a study twice
def test_shares_that_were_trained_join_to_the_study_trained_at_once(
    config: Path, tmp_path: Path
) -> None:
    for k in (1, 2):
        assert fit(config, tmp_path / f"{k}", "--shard", f"{k}/2") == 0
    assert fit(config, tmp_path / "once") == 0
    assert merge([tmp_path / "1", tmp_path / "2"], tmp_path / "joined") == 0
    compare(tmp_path / "joined", tmp_path / "once", "environment")
    assert fit(config, tmp_path / "joined") == 0  # nothing is left to train


def test_a_run_in_both_folders_that_agrees_is_there_once(
    shares: list[Path], tmp_path: Path
) -> None:
    assert merge([FORMAT1, *shares], tmp_path / "out") == 0
    pd.testing.assert_frame_equal(study.load(tmp_path / "out").runs, study.load(FORMAT1).runs)


def test_unfinished_runs_go_on_from_their_checkpoints(shares: list[Path], tmp_path: Path) -> None:
    begun, ended = study_in(FORMAT1).runs[:2]
    assert remove([str(shares[0]), "--run", begun.id, "--yes"]) == 0
    for run in (begun, ended):
        Checkpoints(shares[0], pytest.fail).write(Progress(run, epoch=2), {"w": torch.zeros(2)})
    assert merge(shares, tmp_path / "out") == 0
    assert saved_runs(tmp_path / "out") == {begun.id}


def test_what_w_and_b_was_sent_is_known_after_joining(shares: list[Path], tmp_path: Path) -> None:
    for number, folder in enumerate(shares):
        for name in (f"online/{number}.json", "mark", f"offline-run-1-{number}/x.wandb"):
            path = folder / "wandb" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(number))
        (folder / "wandb" / ".writing-1").mkdir()
        (folder / "wandb" / ".writing-1" / "x.wandb").touch()
        (folder / "wandb" / "latest-run").symlink_to(tmp_path)
    assert merge(shares, tmp_path / "out") == 0
    there = tmp_path / "out" / "wandb"
    found = {str(path.relative_to(there)): path for path in there.rglob("*") if path.is_file()}
    assert sorted(found) == [
        "mark", *(f"offline-run-1-{n}/x.wandb" for n in (0, 1)), "online/0.json", "online/1.json"
    ]  # fmt: skip
    assert found["mark"].read_text() == "0"


def edited(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text()))


def another_seed(folder: Path) -> None:
    edited(folder / "study.yaml", lambda text: text.replace("seeds: 2", "seeds: 3"))


def another_name(folder: Path) -> None:
    edited(folder / "study.yaml", lambda text: text.replace("name: format1", "name: other"))


def another_source(folder: Path) -> None:
    edited(folder / "sources" / "digits.json", lambda text: json.dumps({"sha256": "0" * 64}))


def another_accuracy(folder: Path) -> None:
    (path,) = (folder / "history").iterdir()
    table = pq.read_table(path)
    column = table.column_names.index("test_accuracy")
    path.write_bytes(parquet(table.set_column(column, "test_accuracy", [[0.5] * table.num_rows])))


def other_weights(folder: Path) -> None:
    one, other = sorted((folder / "weights").iterdir())[:2]
    shutil.copyfile(one, other)


def a_torn_part(folder: Path) -> None:
    (path,) = (folder / "history").iterdir()
    path.write_bytes(path.read_bytes()[:-9])


def a_link(folder: Path) -> None:
    path = next((folder / "weights").iterdir())
    path.unlink()
    path.symlink_to("/etc/hostname")


def an_older_checkpoint(folder: Path) -> None:
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "0123456789ab-abcdef-000003.safetensors").touch()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (another_seed, "seeds: expected 2 as in {first}, found 3; only shares of one study"),
        (another_name, "name: expected 'format1' as in {first}, found 'other'"),
        (another_source, "sources/digits.json: expected the content of {first}/sources/digits"),
        (another_accuracy, "expected the record of run 4e1ee80ce7e2 in {first}, found 'another"),
        (other_weights, ".safetensors: expected the content of {first}/weights/"),
        (a_torn_part, "expected a whole part of a study's records"),
        (a_link, "expected a file, found 'a link, a folder or a device'"),
        (an_older_checkpoint, "finish the study with the version that began it"),
        (lambda folder: (folder / "study.yaml").unlink(), "no study.yaml in it"),
    ],
)
def test_what_does_not_belong_together_is_refused_in_one_line_and_nothing_is_written(
    change: Callable[[Path], None],
    line: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = shutil.copytree(FORMAT1, tmp_path / "other")
    change(other)
    assert merge([FORMAT1, other], tmp_path / "out") == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert line.format(first=FORMAT1) in said
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_settings_of_machines_may_differ(tmp_path: Path) -> None:
    other = shutil.copytree(FORMAT1, tmp_path / "other")
    change = {"root: data": "root: /scratch/data", "accelerator: auto": "accelerator: cpu"}
    for before, after in change.items():
        edited(other / "study.yaml", lambda text, b=before, a=after: text.replace(b, a))  # type: ignore[misc]
    assert merge([FORMAT1, other], tmp_path / "out") == 0


def test_nothing_is_overwritten_and_no_training_is_joined(
    shares: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert merge(shares, shares[0]) == 2
    assert "--out: expected a new folder" in capsys.readouterr().err
    assert merge([shares[0], shares[0]], tmp_path / "out") == 2
    assert "expected at least two folders, each once" in capsys.readouterr().err
    locks, live = Locks(shares[1]), LiveFile(shares[1])
    locks.take(live.name)
    with live:
        assert merge(shares, tmp_path / "out") == 2
    assert "expected a study that no task trains" in capsys.readouterr().err


def test_when_a_copy_fails_nothing_is_left(
    shares: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = iter(range(3))

    def full(source: Path, target: Path, **how: bool) -> None:
        if next(done, None) is None:
            raise OSError(28, "No space left on device")
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr("study.records.joining.shutil.copyfile", full)
    assert merge(shares, tmp_path / "out") == 1
    assert set(tmp_path.iterdir()) == set(shares)
