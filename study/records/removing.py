"""Takes runs out of a study's records: tables, weights, images, checkpoints and live rows."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection
from pathlib import Path

from study.records.checkpoints import Checkpoints, saved_runs
from study.records.kept import record_files
from study.records.live import drop_rows, tasks_of
from study.records.measured import write_added
from study.records.once import KINDS_OF_PREDICTIONS, without
from study.records.parquet import KINDS, each_part, ended_runs, read_part, write_part
from study.runs.config import study_in
from study.runs.run import Facts, Run


def removable(folder: Path) -> dict[str, Facts]:
    """Return the facts of each run that is recorded or has a checkpoint, by its id.

    Nothing that the facts name is imported.
    """
    rows = ended_runs(folder, ["run", "facts"])
    # An id of another form names no file that the study wrote.
    found = {run: _facts(text) for run, text in rows if re.fullmatch(r"[0-9a-f]{12}", str(run))}
    saved = saved_runs(folder) - found.keys()
    return found | {run.id: run.facts() for run in study_in(folder).runs if run.id in saved}


def _facts(text: str) -> Facts:
    """Return recorded facts, with those that are younger than the record; damaged ones are none."""
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        return {**Run.absent(optimizer=""), **json.loads(text)}
    return {}


def remove(folder: Path, runs: Collection[str]) -> None:
    """Take some runs out of all that a study's folder holds of them.

    The rows of ``runs`` go last: after a kill, the same command finds the runs and finishes.
    """
    list(record_files(folder))  # refuses links, before anything is removed
    Checkpoints(folder, print).remove(runs)
    for task in tasks_of(folder):
        drop_rows(folder, task["task"], of=runs)
    for path in record_files(folder, ("weights",)):
        if path.stem in runs:
            path.unlink()
    for path in record_files(folder, ("measures",)):
        table = read_part(path)
        if table is not None and (left := without(table, runs)).num_rows < table.num_rows:
            columns = [name for name in table.column_names if name not in ("run", "epoch")]
            if left.num_rows:
                write_added(folder, left.to_pylist(), columns)
            path.unlink()
    _remove_images(folder, runs)
    for name in list(each_part(folder)):
        tables = {kind: read_part(folder / kind / f"{name}.parquet") for kind in KINDS}
        whole = {kind: table for kind, table in tables.items() if table is not None}
        left = {kind: without(table, runs) for kind, table in whole.items()}
        if left["runs"].num_rows == whole["runs"].num_rows:
            continue
        if left["runs"].num_rows:
            of_all = ("runs", "history")
            kept = {k: table for k, table in left.items() if k in of_all or table.num_rows}
            write_part(folder, kept, name)
        for kind in reversed(KINDS):
            (folder / kind / f"{name}.parquet").unlink(missing_ok=True)


def _remove_images(folder: Path, runs: Collection[str]) -> None:
    """Remove the images that only some runs refer to."""
    used = {True: set[str](), False: set[str]()}
    for name in each_part(folder):
        for kind in KINDS_OF_PREDICTIONS:
            table = read_part(folder / kind / f"{name}.parquet", ["run", "images"])
            for run, images in zip(*table.to_pydict().values(), strict=True) if table else ():
                used[run in runs].add(images)
    for path in record_files(folder, ("images",)):
        if path.stem in used[True] - used[False]:
            path.unlink()
