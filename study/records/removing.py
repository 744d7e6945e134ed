"""Takes runs out of a study's records: tables, weights, images, checkpoints and live rows."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection
from pathlib import Path

from study.base.errors import BadInput
from study.records.checkpoints import Checkpoints, saved_runs
from study.records.facts import facts_in
from study.records.kept import record_files
from study.records.live import drop_rows, tasks_of
from study.records.measured import write_added
from study.records.once import without
from study.records.parquet import (
    OF_EVERY_RUN,
    each_part,
    ended_runs,
    read_part,
    remove_part,
    tables_in,
    write_part,
)
from study.records.predictions import pictured
from study.runs.config import study_in
from study.runs.run import Facts, Run


def removable(folder: Path) -> dict[str, Facts]:
    """Return the facts of each run that is recorded or has a checkpoint, by its id.

    Nothing that the facts name is imported.
    """
    found: dict[str, Facts] = {}
    for run, text in ended_runs(folder, ["run", "facts"]):
        # An id of another form names no file that the study wrote.
        if re.fullmatch(r"[0-9a-f]{12}", str(run)):
            found[run] = {}
            with contextlib.suppress(BadInput):  # damaged facts are none
                found[run] = {**Run.absent(optimizer=""), **facts_in(text, run)}
    saved = saved_runs(folder) - found.keys()
    return found | {run.id: run.facts() for run in study_in(folder).runs if run.id in saved}


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
    for path in record_files(folder, ("images",)):
        if (shown := pictured(folder, [path.stem])) and shown.issubset(runs):
            path.unlink()
    for name in list(each_part(folder)):
        whole = tables_in(folder, name)
        left = {kind: without(table, runs) for kind, table in whole.items()}
        if left["runs"].num_rows == whole["runs"].num_rows:
            continue
        if left["runs"].num_rows:
            kept = {k: table for k, table in left.items() if k in OF_EVERY_RUN or table.num_rows}
            write_part(folder, kept, name)
        remove_part(folder, name)
