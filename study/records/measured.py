"""Measures in records: which of them recorded runs lack, and the columns that are added later.

A measure's columns stand in ``history``. Those that a recorded run lacked and that training it
again gave stand in measures/<part>.parquet, by run and epoch: what was recorded before is never
touched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.base.errors import BadInput
from study.base.files import files_in, write_whole
from study.base.names import MEASURE
from study.measures import Measure
from study.records.columns import history_columns, run_columns
from study.records.hashes import digest
from study.records.parquet import as_table, each_part, parquet, read_part
from study.records.sound import warn_of

if TYPE_CHECKING:
    import pyarrow as pa

Lacking = dict[str, set[str]]  # names of measures, by a run's id


def resolved(names: Sequence[str]) -> dict[str, Measure]:
    """Return measures by name.

    Raises
    ------
    BadInput
        One that cannot be had, or with a column that another or every record has, too.
    """
    taken = dict.fromkeys([*run_columns([]), *history_columns([], validation=True)], "every record")
    found = {}
    for name in names:
        if name in found:
            raise BadInput("measures", "each measure once", name)
        found[name] = MEASURE.resolve_as(name, "measures", Measure)
        for column in found[name].columns:
            if column in taken:
                hint = f"{taken[column]} has it, too"
                raise BadInput("measures", f"columns that only {name} has", column, hint)
        taken |= dict.fromkeys(found[name].columns, name)
    return found


def lacking(folder: Path, measures: Mapping[str, Measure], known: dict[str, Lacking]) -> Lacking:
    """Return which measures recorded runs lack: those with an epoch that has none of its columns.

    A measure of a later version may have columns that recorded runs do not have.

    Parameters
    ----------
    folder
        A study's folder.
    measures
        What is asked for, by name.
    known
        What the histories of parts read before lack, by part; new ones are added.

    Raises
    ------
    BadInput, OSError
        A part of another format, or a file that cannot be read.
    """
    columns = ["run", *(column for each in measures.values() for column in each.columns)]
    for part in each_part(folder, known):
        table = read_part(folder / "history" / f"{part}.parquet", columns, some=True)
        if table is not None:
            known[part] = _lacking(table, measures)
    found: Lacking = {run: set(names) for each in known.values() for run, names in each.items()}
    for table in added(folder) if found else ():
        for run in set(table["run"].to_pylist()) & found.keys():
            found[run] -= {
                name
                for name, each in measures.items()
                if not each.columns.keys().isdisjoint(table.column_names)
            }
    return {run: names for run, names in found.items() if names}


def _lacking(table: pa.Table, measures: Mapping[str, Measure]) -> Lacking:
    """Return which measures the runs of some histories lack."""
    import pandas as pd

    runs, found = table["run"].to_pylist(), defaultdict(set)
    for name, measure in measures.items():
        columns = [column for column in measure.columns if column in table.column_names]
        there = pd.DataFrame({column: table[column].is_valid().to_numpy() for column in columns})
        by_run = there.reindex(range(len(table))).any(axis=1).groupby(runs)
        measured = by_run.all() if measure.at == "evaluation" else by_run.any()
        for run in measured.index[~measured]:
            found[run].add(name)
    return dict(found)


def write_added(folder: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write some columns of the histories of runs that were recorded without them as a new part.

    The part's name is its content's hash.
    """
    kept = [{name: row.get(name) for name in ("run", "epoch", *columns)} for row in rows]
    kept = [row for row in kept if any(row[column] is not None for column in columns)]
    table = as_table(kept)
    write_whole(folder / "measures" / f"{digest(table)}.parquet", parquet(table))


def added(folder: Path) -> Iterator[pa.Table]:
    """Yield the parts of columns that were added later, in the order of their names."""
    for path in files_in(folder / "measures", "*.parquet"):
        table = read_part(path)
        if table is not None and {"run", "epoch"}.issubset(table.column_names):
            yield table
        elif path.exists():
            warn_of([path])
