"""`study.remove` takes runs out of everything that a folder holds of them, and asks before."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
import torch

import study
from study.records.checkpoints import Checkpoints, saved_runs
from study.records.live import LiveFile
from study.records.measured import added, write_added
from study.records.predictions import load_predictions
from study.records.reading import load_images
from study.records.writing import Folder
from study.remove import main
from study.runs.config import study_in
from study.runs.progress import Progress
from study.sharing.locks import Locks

FORMAT1 = Path(__file__).parent / "data_folders" / "format1"
QUIET = ["62f2ab0a2792", "4e1ee80ce7e2"]
NOISY = ["f0646acf6aac", "b42f493621cf"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copy a folder with four recorded runs, and add columns and live rows of two of them."""
    out = shutil.copytree(FORMAT1, tmp_path / "study")
    rows = [{"run": run, "epoch": 4, "sharpness": 1.5} for run in (QUIET[0], NOISY[0])]
    write_added(out, rows, ["sharpness"])
    task = {"task": "0" * 12, "share": "1/1", "began": 1.0, "host": "h", "pid": 1, "job": None}
    end = {
        "state": "interrupted",
        "runs": {},
        "ended": 0,
        "epochs": 2,
        "seconds": 1.0,
        "rows": rows,
    }
    (out / "progress").mkdir()
    (out / "progress" / f"{'0' * 12}.jsonl").write_text(f"{json.dumps(task)}\n{json.dumps(end)}\n")
    return out


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_removed_run_is_in_no_table_and_leaves_no_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = study.load(folder)
    images = set(load_images(folder))
    assert main([str(folder), "--where", "data.label_noise=1", "--yes"]) == 0
    assert capsys.readouterr().out == f"removed 2 of 4 runs in {folder}\n"
    after = study.load(folder, unfinished=True)
    kept = before.runs[before.runs["run"].isin(QUIET)].reset_index(drop=True)
    assert after.runs.drop(columns="sharpness").equals(kept.drop(columns="sharpness"))
    assert set(after.history["run"]) == set(QUIET)
    assert set(load_predictions(folder)["run"]) == set(QUIET)
    assert {path.stem for path in (folder / "weights").iterdir()} == set(QUIET)
    assert [table["run"].to_pylist() for table in added(folder)] == [[QUIET[0]]]
    assert len(images) == 2
    assert set(load_images(folder)) == images  # those of the first seed, to which both arms refer
    assert not [name for name, text in content(folder).items() if NOISY[0].encode() in text]


def test_images_that_nobody_refers_to_any_more_go(folder: Path) -> None:
    assert main([str(folder), "--where", "seed=0", "--yes"]) == 0
    assert len(load_images(folder)) < 2
    assert main([str(folder), *[f"--run={run}" for run in (QUIET[1], NOISY[1])], "--yes"]) == 0
    assert load_images(folder) == {}
    assert study.load(folder).runs.empty


def test_runs_that_are_only_begun_are_removed_too(tmp_path: Path) -> None:
    folder = shutil.copytree(FORMAT1, tmp_path / "study")
    run = study_in(folder).runs[0]
    assert main([str(folder), "--run", run.id, "--yes"]) == 0
    Checkpoints(folder, pytest.fail).write(Progress(run, epoch=2), {"0.weight": torch.zeros(2)})
    assert saved_runs(folder) == {run.id}
    assert main([str(folder), "--run", run.id, "--yes"]) == 0
    assert saved_runs(folder) == set()


@pytest.mark.parametrize("files", [1, 6, 8, 9, 10, 11, 12])
def test_a_removal_that_was_killed_is_finished_by_the_same_command(
    files: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [str(folder), "--where", "data.label_noise=1", "--yes"]
    unlink, left = Path.unlink, iter(range(files))

    def killed(path: Path, missing_ok: bool = False) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        assert main(command) == 130
    assert set(QUIET) <= set(study.load(folder).runs["run"])
    assert main(command) in (0, 2)  # 2 where the kill came after the last row
    assert set(study.load(folder).runs["run"]) == set(QUIET)
    assert {path.stem for path in (folder / "weights").iterdir()} == set(QUIET)
    assert set(load_predictions(folder)["run"]) == set(QUIET)


def test_a_dry_run_names_the_runs_and_removes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(folder)
    assert main([str(folder), "--where", "data.label_noise=1", "--dry-run"]) == 0
    assert capsys.readouterr().out.split()[:2] == NOISY
    assert content(folder) == before


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_it_asks_first(
    answer: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = content(folder)
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    assert main([str(folder), "--where", "seed=0"]) == 0
    said = capsys.readouterr().out
    assert said == f"remove 2 of 4 runs in {folder}? [y/N] nothing is removed\n"
    assert content(folder) == before


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ([], "--where: expected KEY=VALUE or --run ID; to say which runs to remove"),
        (["--where", "seed=0"], "--yes: expected a terminal to ask on, or --yes"),
        (["--where", "seed=7", "--yes"], "--where: expected seed as a run has it: 0, 1, found '7'"),
        (["--run", "62f2ab0a2793", "--yes"], "did you mean '62f2ab0a2792'?"),
    ],
)
def test_what_is_not_clear_is_refused(
    options: list[str], line: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(folder)
    assert main([str(folder), *options]) == 2
    assert line in capsys.readouterr().err
    assert content(folder) == before


def test_nothing_is_removed_while_a_task_trains(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    locks, live = Locks(folder), LiveFile(folder)
    locks.take(live.name)
    with live:
        assert main([str(folder), "--where", "seed=0", "--yes"]) == 2
    assert f"expected a study that no task trains, found 'task {live.name}" in (
        capsys.readouterr().err
    )
    locks.close()
    locks.take(NOISY[0])  # a task that has just begun
    assert main([str(folder), "--where", "data.label_noise=1", "--yes"]) == 2
    assert len(study.load(folder).runs) == 4


def test_a_hostile_name_in_the_records_removes_nothing_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside.safetensors"
    outside.write_bytes(b"mine")
    writer = Folder(tmp_path / "study", "made")
    writer.begin("name: made\n")
    rows = [
        {"run": name, "facts": "{}", "status": "finished", "seed": 0}
        for name in ("../../outside", "0123456789ab")
    ]
    writer.write_part(rows, [{"run": "0123456789ab", "epoch": 0}])
    assert main([str(tmp_path / "study"), "--run", "../../outside", "--yes"]) == 2
    assert main([str(tmp_path / "study"), "--run", "0123456789ab", "--yes"]) == 0
    assert outside.read_bytes() == b"mine"


def test_a_linked_folder_is_not_followed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.move(folder / "weights", tmp_path / "elsewhere")
    (folder / "weights").symlink_to(tmp_path / "elsewhere")
    assert main([str(folder), "--where", "seed=0", "--yes"]) == 2
    assert "weights: expected a folder, found 'a link'" in capsys.readouterr().err
    assert len(list((tmp_path / "elsewhere").iterdir())) == 4
