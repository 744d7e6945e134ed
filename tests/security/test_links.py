"""No link below a study's folder is followed: not to write, to delete or to show."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hostile_places import SECRET

from reports.__main__ import main as report
from reports.build import refuse_links
from study.base.errors import BadInput
from study.base.files import make_room, take_leftovers_away, write_whole
from study.records.checkpoints import Checkpoints
from study.records.live import LiveFile, tasks_of
from study.records.writing import Folder
from study.sharing.exclusion import exclude_each_other
from study.sharing.locks import Locks
from study.sharing.slurm import logs_folder, note_job, queued
from study.status import main as status

FORMAT1 = Path(__file__).parents[1] / "data_folders" / "format1"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Return a study's folder that somebody sent."""
    folder = tmp_path / "mail" / "out"
    shutil.copytree(FORMAT1, folder)
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Return a folder of the reader's, with a file."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "file").write_text(SECRET)
    return folder


@pytest.mark.parametrize("place", ["report", "report/index.html", "report/tables", "report/a/b"])
def test_a_report_is_not_written_through_a_link(
    place: str, theirs: Path, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = theirs / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(mine if "." not in place else mine / "file")
    assert report([str(theirs)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"reports: {link}: expected ")
    assert [path.name for path in mine.iterdir()] == ["file"]
    assert (mine / "file").read_text() == SECRET


def test_a_report_waits_for_no_fifo(theirs: Path) -> None:
    (theirs / "report").mkdir()
    os.mkfifo(theirs / "report" / "index.html")
    with pytest.raises(BadInput, match=r"index\.html: expected a file or a folder"):
        refuse_links(theirs / "report")


def test_the_user_may_name_a_link_to_write_a_report_to(theirs: Path, mine: Path) -> None:
    link = theirs.parent / "page"
    link.symlink_to(mine)
    refuse_links(link)


WRITE: dict[str, Callable[[Folder], object]] = {
    "weights": lambda folder: folder.write_weights("a" * 12, {}),
    "environment": lambda folder: folder.write_environment({}),
    "images": lambda folder: folder.write_images(np.zeros((1, 64), np.uint8)),
    "history": lambda folder: folder.write_part([{"run": "a" * 12, "status": "finished"}], []),
    "runs": lambda folder: folder.write_part([{"run": "a" * 12, "status": "finished"}], []),
}


@pytest.mark.parametrize("kind", WRITE)
def test_records_are_not_written_through_a_link(kind: str, theirs: Path, mine: Path) -> None:
    shutil.rmtree(theirs / kind)
    (theirs / kind).symlink_to(mine)
    folder = Folder(theirs, "format1")
    with pytest.raises(BadInput, match=f"{kind}: expected a folder"):
        WRITE[kind](folder)
    assert [path.name for path in mine.iterdir()] == ["file"]


def test_tasks_write_through_no_link(theirs: Path, mine: Path) -> None:
    for name in ("progress", "locks", "checkpoints", "slurm"):
        (theirs / name).symlink_to(mine)
    with pytest.raises(BadInput, match="progress: expected a folder"):
        LiveFile(theirs).__enter__()
    with pytest.raises(BadInput, match="locks: expected a folder"):
        Locks(theirs).take("0" * 12)
    with pytest.raises(BadInput, match="locks: expected a folder"):
        exclude_each_other(theirs, print)
    with pytest.raises(BadInput, match="checkpoints: expected a folder"):
        Checkpoints(theirs, print)
    with pytest.raises(BadInput, match="slurm: expected a folder"), logs_folder(theirs, dry=False):
        pass
    with pytest.raises(BadInput, match="slurm: expected a folder"):
        note_job(theirs, "17")
    assert [path.name for path in mine.iterdir()] == ["file"]


def test_a_job_is_not_noted_through_a_link_and_its_file_is_not_waited_for(
    theirs: Path, mine: Path
) -> None:
    (theirs / "slurm").mkdir()
    (theirs / "slurm" / "jobs").symlink_to(mine / "file")
    with pytest.raises(BadInput, match="jobs: expected a regular file"):
        note_job(theirs, "17")
    (theirs / "slurm" / "jobs").unlink()
    os.mkfifo(theirs / "slurm" / "jobs")
    assert queued(theirs, []) == []
    assert (mine / "file").read_text() == SECRET


def test_a_link_in_the_place_of_a_file_is_replaced_and_its_target_stays(
    theirs: Path, mine: Path
) -> None:
    (theirs / "study.yaml").unlink()
    (theirs / "study.yaml").symlink_to(mine / "file")
    with pytest.raises(BadInput):
        Folder(theirs, "format1").begin("name: format1\n")
    weights = theirs / "weights" / f"{'a' * 12}.safetensors"
    weights.symlink_to(mine / "file")
    write_whole(weights, b"")
    assert not weights.is_symlink()
    assert (mine / "file").read_text() == SECRET


def test_leftovers_behind_a_link_stay(theirs: Path, mine: Path) -> None:
    left = mine / ".mine.part"
    left.touch()
    (theirs / "x").symlink_to(mine)
    (theirs / "wandb").symlink_to(mine.parent)
    (mine.parent / "online").symlink_to(mine)
    (theirs / ".folder.part").mkdir()
    own = theirs / ".own.part"
    own.touch()
    for path in (left, own, theirs / ".folder.part"):
        os.utime(path, (0, 0))
    take_leftovers_away(theirs)
    assert left.exists()
    assert not own.exists()


def test_a_study_s_folder_itself_may_be_reached_by_a_link(theirs: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(theirs)
    folder = Folder(tmp_path / "latest", "format1")
    folder.begin("name: format1\n")
    folder.write_environment({})
    make_room(tmp_path / "latest" / "progress")
    assert len(folder.ended()) == 4
    assert (theirs / "study.1.yaml").exists()


def test_status_waits_for_no_lock_file(
    theirs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (theirs / "locks").mkdir()
    ids = sorted(path.stem for path in (theirs / "weights").iterdir())
    os.mkfifo(theirs / "locks" / ids[0][:2])
    (theirs / "locks" / ids[1][:2]).symlink_to("/dev/zero")
    (theirs / "locks" / ids[2][:2]).mkdir()
    with pytest.warns(UserWarning, match=f"locks/{ids[1][:2]}: no file to lock"):
        assert status([str(theirs)]) == 0


@pytest.mark.parametrize("kind", ["FIFO", "socket", "link", "folder"])
def test_a_progress_file_of_another_kind_is_named(
    kind: str, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (theirs / "progress").mkdir()
    path = theirs / "progress" / "x.jsonl"
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        monkeypatch.chdir(path.parent)  # a socket's path is short
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    with pytest.warns(UserWarning, match=f"x.jsonl: expected a regular file; it is a {kind}"):
        assert tasks_of(theirs) == []
