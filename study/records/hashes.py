"""The hashes that each run is recorded with, so that an edit of its records is found.

A row of ``runs`` has a column ``hashes``: JSON with the sha256 of the run's ``history``, of its
``answers`` (empty where none are kept) and of the row itself, ``runs``. The last one covers every
cell of the row that is no fact, and the other two hashes; facts have their own hash, the run's id.
The trained weights' hash is a cell of the row. A hash is of values, not of bytes in a file, so it
stays the same when parts are merged or written by another version of Parquet.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from study.base.errors import BadInput
from study.records.facts import facts_in

if TYPE_CHECKING:
    import pyarrow as pa

HASHES = "hashes"
HASHED = "sha256"  # in the environment, so that a row whose hashes were taken away is found


def digest(table: pa.Table) -> str:
    """Return the sha256 of a table's values, in the order of its rows.

    Columns are taken by name, those without any value are left out, and all numbers count as
    float64: columns and types depend on what a part has been merged with.

    Raises
    ------
    BadInput
        Values of a type that no record has.

    Examples
    --------
    >>> import pyarrow as pa
    >>> one = pa.table({"epoch": [0, 1], "loss": [1.5, None]})
    >>> other = pa.table({"loss": [1.5, None], "epoch": [0.0, 1.0], "later": pa.nulls(2)})
    >>> digest(one) == digest(other), digest(one) == digest(one.slice(1))
    (True, False)
    """
    import pyarrow as pa

    found = hashlib.sha256()
    for name in sorted(table.column_names):
        column = table[name].combine_chunks()
        if column.null_count < len(column):
            found.update(json.dumps([name, len(column)]).encode())
            try:
                for part in _canonical(column):
                    found.update(part)
            except (pa.ArrowException, TypeError, ValueError) as error:
                raise BadInput(name, "numbers, text or lists of numbers", str(error)) from None
    return found.hexdigest()


def _canonical(column: pa.Array) -> Iterator[bytes]:
    """Yield a column's values as bytes that are the same for equal values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        yield from _canonical(pc.list_value_length(column))
        column = column.flatten()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        yield json.dumps(column.to_pylist()).encode()
        return
    values = column.to_numpy(zero_copy_only=False).astype("<f8")
    values[np.isnan(values)] = np.nan  # of one bit pattern
    yield column.is_valid().to_numpy(zero_copy_only=False).tobytes()
    yield values.tobytes()


def by_run(table: pa.Table | None) -> dict[str, pa.Table]:
    """Return the rows of each run in a table, in their order; a missing id counts as ``""``."""
    if table is None or not len(table):
        return {}
    runs = np.array([str(run or "") for run in table["run"].to_pylist()])
    order = np.argsort(runs, kind="stable")
    if (np.diff(order) < 0).any():
        table = table.take(order)
    names, starts = np.unique(runs[order], return_index=True)
    ends = [*starts[1:].tolist(), len(table)]
    parts = zip(names.tolist(), starts.tolist(), ends, strict=True)
    return {run: table.slice(start, end - start) for run, start, end in parts}


def hashes_of(
    row: pa.Table, history: pa.Table | None, answers: pa.Table | None
) -> dict[str, str | None]:
    """Return the hashes of a run by the folder that holds what they cover.

    Parameters
    ----------
    row, history, answers
        What a part has of the run; None where it has nothing.

    Raises
    ------
    BadInput
        Values of a type that no record has, or facts that are no JSON.
    """
    tables = {"history": history, "answers": answers}
    found = {kind: None if table is None else digest(table) for kind, table in tables.items()}
    return {"runs": _of_row(row, found), **found}


def _of_row(row: pa.Table, others: Mapping[str, object]) -> str:
    """Return the hash of a row's cells but for facts, and of the run's other hashes."""
    left_out = {HASHES, *facts_of(row)}
    cells = row.select([name for name in row.column_names if name not in left_out])
    whole = [digest(cells), *(others.get(kind) for kind in ("history", "answers"))]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


def facts_of(row: pa.Table) -> Mapping[str, object]:
    """Return the facts in a row of ``runs``.

    Raises
    ------
    BadInput
        They are no JSON object.
    """
    return facts_in(row["facts"][0].as_py(), "facts") if "facts" in row.column_names else {}


def with_hashes(rows: pa.Table, history: pa.Table, answers: pa.Table | None) -> pa.Table:
    """Return rows of ``runs`` with a column of their hashes."""
    import pyarrow as pa

    of_history, of_answers = by_run(history), by_run(answers)
    cells = []
    for number, run in enumerate(rows["run"].to_pylist()):
        row = rows.slice(number, 1)
        cells.append(json.dumps(hashes_of(row, of_history.get(run), of_answers.get(run))))
    return rows.append_column(HASHES, pa.array(cells, pa.string()))


def recorded_hashes(row: pa.Table) -> Mapping[str, object] | None:
    """Return the hashes in a row of ``runs``; None where it has none, {} where they are damaged."""
    text = row[HASHES][0].as_py() if HASHES in row.column_names else None
    if text is None:
        return None
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and json.dumps(found) == text else {}


def edited(row: pa.Table, history: pa.Table | None, answers: pa.Table | None) -> list[str]:
    """Return what of a run does not have the hash it was recorded with, by folder.

    Nothing where the row has no hashes. Values that cannot be hashed count as edited.
    """
    recorded = recorded_hashes(row)
    if recorded is None:
        return []
    try:
        found = {**hashes_of(row, history, answers), "runs": _of_row(row, recorded)}
    except BadInput:
        return ["runs"]
    apart = [kind for kind in found if recorded.get(kind) != found[kind]]
    return apart or ["runs"] * (recorded.keys() != found.keys())
