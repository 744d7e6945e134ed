"""`study.archive` packs a study so that equal records give equal bytes and name no machine."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest

import study
from study.archive import main
from study.records.live import LiveFile
from study.records.writing import Folder
from study.status import main as status
from study.verify import main as verify

FORMAT1 = Path(__file__).parent / "data_folders" / "format1"


def lived_in(folder: Path, home: str) -> Path:
    """Copy a study as a machine leaves it: its data's folder, and what only training needs."""
    shutil.copytree(FORMAT1, folder)
    config = folder / "study.yaml"
    config.write_text(config.read_text().replace("root: data", f"root: {home}/data"))
    with LiveFile(folder):
        pass
    for name in ("locks/0a", "checkpoints/0.safetensors", "slurm/x.log", "wandb/online/x.json"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(f"{home} host-of-mine")
    (folder / "weights" / ".x.part").write_text(home)
    return folder


def test_the_same_records_give_the_same_bytes_on_every_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for name, home in (("a", "/home/one"), ("b.c", "/Users/other")):
        folder = lived_in(tmp_path / name, home)
        for path in folder.rglob("*"):
            path.chmod(0o700 if name == "a" else 0o755)
            os.utime(path, (len(home), len(home)))
        assert main([str(folder)]) == 0
        said.append(capsys.readouterr().out.splitlines())
        assert main([str(folder)]) == 2  # nothing is overwritten
        capsys.readouterr()
    one, other = ((tmp_path / f"{name}.zip").read_bytes() for name in ("a", "b.c"))
    assert one == other
    assert said[0][0] == f"{tmp_path / 'a.zip'}: 12 files, 0.1 MiB"
    assert said[0][1] == said[1][1]  # their sha256
    assert not any(word in one for word in (b"/home", b"host-of-mine", b".x.part"))


def test_an_unpacked_archive_is_a_study_that_loads_and_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([str(lived_in(tmp_path / "a", "/home/one")), "--out", "deposit.zip"]) == 0
    with zipfile.ZipFile("deposit.zip") as packed:
        assert packed.namelist() == sorted(packed.namelist())
        assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        packed.extractall("there")
    folder = Path("there/format1")
    for found, whole in zip(study.load(folder), study.load(FORMAT1), strict=True):
        pd.testing.assert_frame_equal(found, whole, check_exact=True)
    assert status([str(folder)]) == 0
    capsys.readouterr()
    again = verify([str(FORMAT1), "--runs", "1"]), capsys.readouterr().out
    assert (verify([str(folder), "--runs", "1"]), capsys.readouterr().out) == again
    assert main([str(folder), "--out", "again.zip"]) == 0
    assert Path("again.zip").read_bytes() == Path("deposit.zip").read_bytes()


def failed(folder: Path) -> None:
    row = {"run": "0123456789ab", "status": "failed", "error": "no file /home/me/x.npy"}
    Folder(folder, "format1").write_part([{**row, "seed": 0, "facts": "{}"}], [])


def logging(folder: Path) -> None:
    path = folder / "study.yaml"
    logger = "  logger: [{class_path: a.B, init_args: {save_dir: /home/me}}]"
    path.write_text(path.read_text().replace("  logger: []", logger))


def computing(folder: Path) -> None:
    (path,) = (folder / "environment").iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "matmul": "C:\\me\\blas"}))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (failed, "error of run 0123456789ab: expected no path of a machine, as an archive has"),
        (failed, "found '/home'; train it again, or take it out: study remove"),
        (logging, "trainer.logger.0.init_args.save_dir: expected no path of a machine"),
        (computing, "matmul: expected no path of a machine"),
    ],
)
def test_records_that_name_a_machine_s_path_are_refused(
    change: object, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(FORMAT1, tmp_path / "a")
    assert callable(change)
    change(folder)
    assert main([str(folder)]) == 2
    assert line in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
