"""A disk that is full, or read-only, stops a study with one line, and takes nothing from it."""

from __future__ import annotations

import random
from contextlib import ExitStack
from pathlib import Path

import pytest
from campaign import BRIEF, Trial, same, wait_until
from disk import PLENTY, mount

FULL = "No space left on device"
READ_ONLY = "Read-only file system"
NO_FILE = "size=64m,nr_inodes=1"  # the folder itself is one
NO_ROOM = "size=4k,nr_inodes=10000"

# Each kind of file, on a disk of its own that has no room for it.
WRITES = {
    "progress": NO_FILE,
    "locks": NO_FILE,
    "environment": NO_FILE,
    "checkpoints": NO_ROOM,
    "weights": NO_ROOM,
    "images": NO_FILE,
    "history": NO_ROOM,
    "answers": NO_ROOM,
    "runs": NO_ROOM,
}


def one_line(said: str, problem: str) -> None:
    """Assert that one line says what is wrong and how to go on."""
    (line,) = [line for line in said.splitlines() if line.startswith("study.fit: ")]
    assert problem in line
    assert "go on with: python -m study.fit --config" in line


def begin(trial: Trial) -> None:
    """Let a process begin the study's folder, and no more."""
    process = trial.start()
    assert wait_until((trial.out / "study.yaml").exists, process)
    process.kill()
    process.join()


def full_for(brief: Trial, place: Path, kind: str) -> None:
    trial = Trial(place, epochs=BRIEF)
    begin(trial)
    left = trial.parts()  # by that kill, which may come during a write
    with ExitStack() as mounted:
        disk = mount(mounted, trial.out / kind, WRITES[kind])
        one_line(trial.finish(status=1), FULL)
        disk.change(PLENTY)
        assert trial.parts() <= left
        trial.finish()
        same(brief, trial)


def test_without_room_for_checkpoints_or_records_it_stops_with_a_line_and_goes_on_later(
    brief: Trial, tmp_path: Path
) -> None:
    full_for(brief, tmp_path, "history")


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRITES)
def test_without_room_for_each_kind_of_file(kind: str, brief: Trial, tmp_path: Path) -> None:
    full_for(brief, tmp_path, kind)


@pytest.mark.slow
def test_a_disk_that_fills_at_any_moment_costs_no_bit(whole: Trial, tmp_path: Path) -> None:
    free = random.Random(0)
    with ExitStack() as mounted:
        for number in range(2):
            disk = mount(mounted, tmp_path / f"disk{number}")
            trial = Trial(tmp_path / str(number), folder=disk.path / "out")
            for room in [0, 8192, *sorted(free.sample(range(16_384, 200_000), 4))]:
                disk.fill(room)
                said = trial.finish(status=1)
                if (trial.out / "study.yaml").exists():
                    one_line(said, FULL)
                disk.empty()
                assert not trial.parts()
            trial.finish()
            same(whole, trial)


def times(folder: Path) -> dict[Path, int]:
    """Return when each file, link and folder was changed."""
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_a_read_only_folder_is_bad_input_and_stays_as_it_is(whole: Trial, tmp_path: Path) -> None:
    with ExitStack() as mounted:
        disk = mount(mounted, tmp_path / "disk")
        trial = Trial(tmp_path, ("--checkpoint_every", "1"), folder=disk.path / "out")
        process = trial.start()
        assert wait_until(lambda: list(trial.out.glob("checkpoints/*.safetensors")), process)
        process.kill()  # a system makes nothing read-only in which a process holds locks
        process.join()
        disk.change("ro")
        before = times(trial.out)
        said = trial.finish(status=2)
        (line,) = said.splitlines()
        assert READ_ONLY in line
        assert "choose another --out" in line
        disk.change("rw")
        assert times(trial.out) == before
        trial.finish()
        same(whole, trial)
        assert trial.redone() <= 2
