"""Which files of a study's folder are its records, to be joined, archived and taken out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from study.base.errors import BadInput
from study.records.parquet import KINDS, OF_EVERY_RUN, each_part, read_part
from study.runs.config import WRITTEN

# All else serves tasks that train: checkpoints, progress, locks, logs, routes, what W&B was sent.
FOLDERS = (*KINDS, "measures", "images", "sources", "environment", "weights")


def record_files(folder: Path, folders: tuple[str, ...] = FOLDERS) -> Iterator[Path]:
    """Yield the files of a study's records, sorted; those that a killed task left are left out.

    Raises
    ------
    BadInput
        A link, a folder or a device in the place of a file: what it leads to is no record.
    """
    for name in folders:
        inside = folder / name
        if inside.is_symlink():
            raise BadInput(str(inside), "a folder", "a link")
        for path in sorted(inside.iterdir()) if inside.is_dir() else ():
            if not path.name.startswith("."):
                if path.is_symlink() or not path.is_file():
                    raise BadInput(str(path), "a file", "a link, a folder or a device")
                yield path


def config_files(folder: Path) -> Iterator[Path]:
    """Yield the configs that a study's folder had, in turn, and last the one that it has."""
    numbered = {
        int(path.suffixes[0][1:]): path
        for path in folder.glob("study.*.yaml")
        if WRITTEN.fullmatch(path.name)
    }
    for path in (*(numbered[number] for number in sorted(numbered)), folder / "study.yaml"):
        if path.is_symlink() or not path.is_file():
            raise BadInput(str(path), "a file", "a link, a folder or a device")
        yield path


def check_whole(folder: Path) -> None:
    """Raise `BadInput` where a part of a study's records is torn or missing."""
    for name in each_part(folder):
        for path in (folder / kind / f"{name}.parquet" for kind in OF_EVERY_RUN):
            if read_part(path, ["run"]) is None:
                hint = "the next start of study fit trains its runs again"
                raise BadInput(str(path), "a whole part of a study's records", hint=hint)
