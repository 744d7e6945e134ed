"""Reads a study's parts so that each run is there once, from one record.

A record of a run is its row, its history and its answers in one part. A run has several when it
failed and was trained again, or when two tasks trained it. They are never mixed: read is one that
did not fail; of those one that has the hashes it was recorded with, or else one without hashes; and
of those the one whose row has the smallest hash. So it does not matter how parts are named.
"""

from __future__ import annotations

import functools
import warnings
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from study.base.errors import BadInput, LeftOut
from study.base.files import read_json
from study.base.names import FILE
from study.records.hashes import HASHES, by_run, digest, edited, recorded_hashes
from study.records.parquet import KINDS, OF_EVERY_RUN, each_part, read_part, tables_in
from study.records.sound import warn_of
from study.runs.progress import FAILED

if TYPE_CHECKING:
    import pyarrow as pa

KINDS_OF_PREDICTIONS = ("predictions", "answers")  # of the first format, and now
# What two trainings of one run share where they have the same bits.
RESULTS = ("status", "epochs", "epochs_to_fit", "data_hash", "labels_hash", "weights_hash")


class Record(NamedTuple):
    """One record of a run: what a part holds of it, each as a table of the run's rows alone."""

    part: str
    row: pa.Table
    history: pa.Table | None
    answers: pa.Table | None

    def cell(self, column: str) -> object:
        """Return a cell of the row; None where it has no such column."""
        return self.row[column][0].as_py() if column in self.row.column_names else None

    @property
    def edited(self) -> list[str]:
        """What does not have the hash that it was recorded with; see `study.records.hashes`."""
        return edited(self.row, self.history, self.answers)

    @property
    def rank(self) -> tuple[bool, int, str]:
        """The place among the records of one run; the smallest is read."""
        recorded, failed = recorded_hashes(self.row), self.cell("status") == FAILED
        if recorded is None:
            return failed, 1, digest(self.row)
        return failed, 2 if self.edited else 0, str(recorded.get("runs"))

    def disagrees(self, other: Record) -> bool:
        """Tell whether another record of the same run, if it did not fail, has other results."""
        return other.cell("status") != FAILED and (
            [self.cell(name) for name in RESULTS] != [other.cell(name) for name in RESULTS]
            or _differ(self.history, other.history)
            or _differ(self.answers, other.answers)
        )


def records_of(part: str, tables: Mapping[str, pa.Table]) -> dict[str, Record]:
    """Return the records in a part, of which `tables_in` gives the tables."""
    answers = {k: v for kind in KINDS_OF_PREDICTIONS for k, v in by_run(tables.get(kind)).items()}
    history = by_run(tables.get("history"))
    return {
        run: Record(part, row.slice(0, 1), history.get(run), answers.get(run))
        for run, row in by_run(tables.get("runs")).items()
    }


def read_parts(
    folder: Path,
    kinds: Sequence[str] = ("runs", "history"),
    runs: Collection[str] | None = None,
) -> dict[str, list[pa.Table]]:
    """Read a study's parts, each run from one of its records.

    A warning names files that are torn or missing, and records that disagree.

    Parameters
    ----------
    folder
        A study's folder.
    kinds
        What to read.
    runs
        Ids of runs: only theirs is read; None reads all.

    Returns
    -------
    dict of list of pa.Table
        By kind, the tables of each part whose files of every kind asked for are whole.

    Raises
    ------
    BadInput, OSError
        A part of another format, or a file that cannot be read.
    """
    parts: dict[str, dict[str, pa.Table]] = {}
    places: dict[str, list[str]] = defaultdict(list)  # the parts with a record of a run
    for name in each_part(folder):
        paths = {kind: folder / kind / f"{name}.parquet" for kind in KINDS}
        rows = read_part(paths["runs"], None if "runs" in kinds else ["run"])
        inside = set() if rows is None else set(rows["run"].to_pylist())
        if runs is not None and rows is not None and inside.isdisjoint(runs):
            continue
        found = {k: rows if k == "runs" else read_part(paths[k]) for k in kinds}
        torn = [paths[kind] for kind in kinds if found[kind] is None]
        if not torn:
            parts[name] = found
        elif paths["runs"].exists():  # runs without predictions have no file of them
            warn_of([p for p in torn if p.parent.name in OF_EVERY_RUN or p.exists()])
        for run in inside:
            places[run].append(name)
    twice = {run: names for run, names in sorted(places.items()) if len(names) > 1}
    others = _others(folder, twice)
    return {
        kind: [_read(tables[kind], runs, others[name]) for name, tables in parts.items()]
        for kind in kinds
    }


def _read(table: pa.Table, runs: Collection[str] | None, others: Collection[str]) -> pa.Table:
    """Return a table of ``runs`` but not ``others``, without hashes, which are no result."""
    if runs is not None:
        table = table.filter(_is_of(table, runs))
    if others:
        table = without(table, others)
    return table.drop_columns(HASHES) if HASHES in table.column_names else table


def _others(folder: Path, twice: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """Return, by part, the runs that are read from another part; warn where records disagree."""
    found: dict[str, set[str]] = defaultdict(set)
    inside = functools.cache(lambda part: records_of(part, tables_in(folder, part)))
    apart = []
    for run, parts in twice.items():
        records = [inside(part)[run] for part in parts if run in inside(part)]
        records.sort(key=lambda record: record.rank)
        for other in records[1:]:
            found[other.part].add(run)
        apart += [(run, records[0], each) for each in records[1:] if records[0].disagrees(each)][:1]
    if apart:
        run, taken, other = apart[0]
        names = [_environment(folder, each.cell("environment")) for each in (taken, other)]
        more = f", and so have {len(apart) - 1} more runs" if len(apart) > 1 else ""
        edits = f", which was edited ({', '.join(other.edited)})" if other.edited else ""
        warnings.warn(
            f"{folder}: run {run} has records that disagree{more}; read is the one of environment "
            f"{names[0]}, not the one of environment {names[1]}{edits}",
            LeftOut,
            stacklevel=2,
        )
    return found


def _environment(folder: Path, name: object) -> str:
    """Return an environment's name with its processor, device and version of torch."""
    if not FILE.fullmatch(str(name)):
        return f"{name} (no environment's name)"
    try:
        found = read_json(folder / "environment" / f"{name}.json", "an environment")
        torch = found["packages"]["torch"]
        return f"{name} ({found['processor']}, {found['device']}, torch {torch})"
    except (BadInput, OSError, KeyError, TypeError):
        return f"{name} (which cannot be read)"


def _differ(one: pa.Table | None, other: pa.Table | None) -> bool:
    """Tell whether two tables differ in a column that both have; images are not always kept."""
    if one is None or other is None:
        return False
    shared = [name for name in one.column_names if name in other.column_names and name != "images"]
    shared = [n for n in shared if max(one[n].null_count, other[n].null_count) < len(one)]
    return digest(one.select(shared)) != digest(other.select(shared))


def without(table: pa.Table, runs: Collection[str]) -> pa.Table:
    """Return a table without the rows of some runs."""
    import pyarrow.compute as pc

    return table.filter(pc.invert(_is_of(table, runs)))


def _is_of(table: pa.Table, runs: Collection[str]) -> pa.ChunkedArray:
    """Return which rows of a table are those of some runs."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.is_in(table["run"], pa.array(list(runs), pa.string()))
