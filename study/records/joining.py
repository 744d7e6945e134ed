"""Joins the folders of one study that tasks on machines without a common disk have trained."""

from __future__ import annotations

import contextlib
import filecmp
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from study.base.errors import BadInput
from study.base.files import PART, write_whole
from study.records.checkpoints import check_format, saved_runs
from study.records.difference import changes, difference, read_runs
from study.records.kept import check_whole, config_files, record_files
from study.records.ledgers import FILE, common_statement
from study.records.parquet import ended_runs
from study.records.writing import Folder
from study.runs.config import study_in
from study.runs.progress import FAILED
from study.runs.study import Study

# Settings that decide no result, and that machines may need to differ in.
OF_MACHINES = ("data.root", "out", "products", "stack", "trainer.accelerator")


class Joined(NamedTuple):
    """How many runs a joined folder has recorded, how many begun, and how many its study has."""

    recorded: int
    begun: int
    runs: int


def join(folders: Sequence[Path], out: Path) -> Joined:
    """Write the records of several folders of one study to a new folder, or nothing.

    Unfinished runs go on in the new folder from their checkpoints.

    Raises
    ------
    BadInput
        Folders of different studies or sources, records that disagree or are damaged, or an
        ``out`` that has files.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput("--out", "a new folder", str(out), "it exists already")
    studies = [study_in(folder) for folder in folders]
    for folder, study in zip(folders[1:], studies[1:], strict=True):
        _check_same(folders[0], studies[0], folder, study)
    ended: dict[str, Path] = {}
    for folder in folders:
        check_whole(folder)
        check_format(folder)
        rows = ended_runs(folder, ["run", "status"])
        its = {run for run, status in rows if status != FAILED}
        for other in dict.fromkeys(ended[run] for run in sorted(its & ended.keys())):
            _check_agree(other, folder, {run for run in its if ended.get(run) == other})
        ended = {**dict.fromkeys(its, folder), **ended}
    files, stated = _files(folders, ended), common_statement(folders)
    with _appearing(out) as made:
        writer = Folder(made, studies[0].name)
        for config in _configs(folders):
            writer.begin(config)
        for name, path in files.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, made / name, follow_symlinks=False)
        if stated is not None:
            write_whole(made / FILE, stated)
    wanted = {run.id for run in studies[0].runs}
    return Joined(len(wanted & ended.keys()), len(saved_runs(out)), len(wanted))


def _check_same(first: Path, study: Study, folder: Path, other: Study) -> None:
    """Raise `BadInput` unless two folders are those of one study."""
    for key, (a, b) in changes(study.values(), other.values()).items():
        if key not in OF_MACHINES and not key.startswith("wandb."):
            there, found = ("nothing" if each is ... else each for each in (a, b))
            hint = "only shares of one study are joined"
            raise BadInput(f"{folder} {key}", f"{there!r} as in {first}", found, hint)


def _check_agree(first: Path, folder: Path, runs: Collection[str]) -> None:
    """Raise `BadInput` where two folders have recorded one run with different results."""
    records, others = read_runs(first, runs), read_runs(folder, runs)
    for run in sorted(runs):
        found = difference(records[run], others[run])
        if found.results or found.history:
            apart = ", ".join([*found.results, *found.history])
            expected = f"the record of run {run} in {first}"
            hint = f"compare them with study diff {first}/{run} {folder}/{run}"
            raise BadInput(str(folder), expected, f"another {apart}", hint)


def _files(folders: Sequence[Path], ended: Collection[str]) -> dict[Path, Path]:
    """Return the files to copy by their names in the folders."""
    found: dict[Path, Path] = {}
    for folder in folders:
        for path in record_files(folder):
            name = path.relative_to(folder)
            if not filecmp.cmp(found.setdefault(name, path), path, shallow=False):
                raise BadInput(str(path), f"the content of {found[name]}", "another")
        for path in record_files(folder, ("checkpoints",)):
            if path.name.partition(".")[0] not in ended:
                found.setdefault(path.relative_to(folder), path)
    found |= _sent(folders)
    return found


def _sent(folders: Sequence[Path]) -> dict[Path, Path]:
    """Return the files that say what W&B was sent, so that nothing is sent again."""
    found: dict[Path, Path] = {}
    for folder in folders:
        inside = folder / "wandb"  # links in it are followed neither here nor by rglob
        for path in () if inside.is_symlink() else sorted(inside.rglob("*")):
            name = path.relative_to(folder)
            whole = not any(part.startswith(".") for part in name.parts)
            if whole and path.is_file() and not path.is_symlink():
                found.setdefault(name, path)
    return found


def _configs(folders: Sequence[Path]) -> list[str]:
    """Return all configs that the folders had, each once, and last that of the first folder."""
    texts = [[each.read_text(encoding="utf-8") for each in config_files(at)] for at in folders]
    last = texts[0][-1]
    earlier = dict.fromkeys(text for own in texts for text in own[:-1] if text != last)
    return [*earlier, last]


@contextlib.contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """Make a folder that appears as ``out`` once it is whole, and is removed on failure."""
    made = out.with_name(f".{out.name}.{uuid4().hex}{PART}")
    made.mkdir(parents=True)
    try:
        yield made
        made.rename(out)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
