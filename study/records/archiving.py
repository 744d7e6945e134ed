"""Packs a study's records for a deposit: equal records give equal bytes, on every machine.

A zip archive, as every system opens one: names are sorted; times, owners and permissions are fixed;
nothing is compressed, because versions of a compressor differ, and parquet files are so already.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from study.base.errors import BadInput
from study.base.files import PART
from study.records.kept import check_whole, config_files, record_files
from study.records.ledgers import FILE, read_statement
from study.records.parquet import ended_runs
from study.records.reading import read_config, read_environment
from study.runs import yaml_text
from study.runs.settings import Data

FIRST_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that the format has
UNIX, FILE_MODE = 3, 0o100644
# A path from a root, not the / of a unit, an address or a path of a package.
MACHINES_PATH = re.compile(r"(?<![\w./:~-])(/|[A-Za-z]:\\)[\w.~+-]+")


def archive(folder: Path, out: Path) -> int:
    """Write a study's records to the zip archive ``out`` and return the number of its files.

    Raises
    ------
    BadInput
        Damaged records, records that name a machine's path, or an ``out`` that exists.
    """
    if out.exists() or out.is_symlink():
        raise BadInput("--out", "a new file", str(out), "it exists already")
    check_whole(folder)
    _refuse_paths(folder)
    name = str(read_config(folder)["name"])
    if not re.fullmatch(r"\w[\w.-]*", name, re.ASCII):
        raise BadInput(f"{folder} name", "a study's name", name)
    texts = {path.name: _config(path) for path in config_files(folder)}
    files = {path.relative_to(folder).as_posix(): path for path in record_files(folder)}
    if (stated := read_statement(folder)) is not None:
        for key, text in _texts(stated):
            _refuse(f"{folder / FILE} {key}", text)
        files[FILE] = folder / FILE
    made = out.with_name(f".{out.name}.{uuid4().hex}{PART}")
    try:
        with zipfile.ZipFile(made, "x", zipfile.ZIP_STORED) as packed:
            for inside in sorted([*texts, *files]):
                entry = zipfile.ZipInfo(f"{name}/{inside}", FIRST_TIME)
                entry.create_system, entry.external_attr = UNIX, FILE_MODE << 16
                content = texts[inside] if inside in texts else files[inside].read_bytes()
                packed.writestr(entry, content)
        made.rename(out)
    finally:
        made.unlink(missing_ok=True)
    return len(texts) + len(files)


def _config(path: Path) -> str:
    """Return a config without the folder of data sets, which is a machine's own."""
    tree = yaml_text.load(path.read_text(encoding="utf-8"), str(path))
    if not isinstance(tree, dict):
        raise BadInput(str(path), "a study's config", tree)
    if isinstance(tree.get("data"), dict):
        tree["data"]["root"] = Data().root
    for key, text in _texts(tree):
        _refuse(f"{path} {key}", text, "give it relative to where study fit is started")
    return yaml_text.dump(tree)


def _refuse_paths(folder: Path) -> None:
    """Raise `BadInput` where records name a machine's path."""
    for path in record_files(folder, ("environment",)):
        for key, text in _texts(read_environment(folder, path.stem)):
            _refuse(f"{path} {key}", text)
    for run, error in ended_runs(folder, ["run", "error"]):
        hint = f"train it again, or take it out: study remove {folder} --run {run}"
        _refuse(f"{folder} error of run {run}", error or "", hint)


def _texts(tree: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts in a tree with their dotted keys."""
    if isinstance(tree, str):
        yield key, tree
    elif isinstance(tree, (Mapping, list)):
        pairs = tree.items() if isinstance(tree, Mapping) else enumerate(tree)
        for name, value in pairs:
            yield from _texts(value, f"{key}.{name}".lstrip("."))


def _refuse(key: str, text: str, hint: str = "") -> None:
    if found := MACHINES_PATH.search(text):
        raise BadInput(key, "no path of a machine, as an archive has none", found[0], hint)
