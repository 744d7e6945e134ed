"""What a parquet file of a study's folder must be before it is believed, whoever has written it."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.base.errors import BadInput, LeftOut
from study.records.columns import RUN
from study.runs.progress import FAILED

if TYPE_CHECKING:
    import pyarrow as pa

# A file may unpack to so many bytes, or to so many times its own size, whichever is more.
MOST_BYTES, MOST_TIMES = 2**28, 64
LATEST_EPOCH = 2**31 - 1
MOST_COLUMNS = 2_000
NO_PART = "not a whole part of a study's records"
OUTCOMES = ("epochs_to_fit", "parameters", "seconds")
RESERVED = {*RUN, "seed", "study", "arm", "evaluate_every"} - {"run"}
TEXTS = ("run", "status", "facts", "environment")
NUMBERS = {"seed": 2**63 - 1, "epoch": LATEST_EPOCH, "epochs": LATEST_EPOCH}
LISTS = ("example", "label", "true_label", "said", "confidence", "label_probability")
NEEDED = {
    "runs": {"run", "seed", "status"},
    "history": {"run", "epoch"},
    "measures": {"run", "epoch"},
    "answers": {"run", "part", "at", "epoch", "images", *LISTS},
    "predictions": {"run", "part", "place", "images", *LISTS[:-1]},
}


def read_bounded(path: Path, opened: BufferedReader, columns: Any) -> pa.Table:
    """Read a parquet file, unless it promises more than a file of its size holds.

    Texts are unpacked last, as a text may stand in a file once and in a million rows. Everything
    is read in this thread: a thread of pyarrow's that lets go of a Python file while Python ends
    aborts the process.

    Raises
    ------
    BadInput
        It promises more.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    most = max(MOST_BYTES, MOST_TIMES * opened.seek(0, 2))
    opened.seek(0)
    with pq.ParquetFile(opened) as file:
        about, schema = file.metadata, file.schema_arrow
        groups = [about.row_group(number) for number in range(about.num_row_groups)]
        cells = sum(g.column(i).num_values for g in groups for i in range(g.num_columns))
        promised = max(8 * cells, sum(g.total_byte_size for g in groups))
        _check(path, max(promised, about.num_rows), most)
        if about.num_rows * promised <= most:  # no text is longer than what the file promises
            return file.read(columns=columns, use_threads=False)
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    with pq.ParquetFile(opened, metadata=about, read_dictionary=texts) as file:
        table = file.read(columns=columns, use_threads=False)
    size = table.nbytes
    for index, name in enumerate(table.column_names):
        column = table.column(index)
        if not pa.types.is_dictionary(column.type):
            continue
        for chunk in column.chunks:
            lengths = pc.binary_length(chunk.dictionary).take(chunk.indices)
            size += pc.sum(lengths.cast(pa.int64())).as_py() or 0
        _check(path, size, most)
        table = table.set_column(index, name, column.cast(pa.string()))
    return table


def _check(path: Path, promised: int, most: int) -> None:
    if promised > most:
        raise BadInput(str(path), f"at most {most:,} bytes when unpacked", promised)


def is_sound(kind: str, table: pa.Table, columns: Any = None) -> bool:
    """Tell whether a table's cells are of the types that its kind has, and each run is there once.

    Parameters
    ----------
    kind
        ``runs``, ``history`` or another folder of parquet files.
    table
        What was read of the file.
    columns
        The columns that were asked for; None reads all, of which some are needed.
    """
    import pyarrow.compute as pc

    if len(set(table.column_names)) < table.num_columns or table.num_columns > MOST_COLUMNS:
        return False
    if columns is None and not NEEDED.get(kind, set()).issubset(table.column_names):
        return False
    if not all(_is_column(kind, name, table.column(name)) for name in table.column_names):
        return False
    if kind == "answers" and columns is None and not _same_lengths(table):
        return False
    if kind == "runs" and {"run", "status"}.issubset(table.column_names):
        ended = table.filter(pc.not_equal(table["status"], FAILED))["run"]
        return bool(len(ended) == len(pc.unique(ended)))
    return True


def _same_lengths(table: pa.Table) -> bool:
    """Tell whether the lists of each row are as long as its answers are, or missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds = {name: table.column(name).type for name in LISTS}
    if not all(pa.types.is_list(kind) or pa.types.is_null(kind) for kind in kinds.values()):
        return False
    if table["said"].null_count or pa.types.is_null(kinds["said"]):
        return not len(table)
    lengths = pc.list_value_length(table["said"])
    found = [pc.list_value_length(table[n]) for n, kind in kinds.items() if pa.types.is_list(kind)]
    return all(pc.all(pc.equal(each, lengths)).as_py() is not False for each in found)


def _is_column(kind: str, name: str, column: pa.ChunkedArray) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    types = pa.types
    if kind in ("history", "measures") and (name in RESERVED or "." in name):
        return False  # a column of ``runs``
    if name in TEXTS:
        return bool(types.is_string(column.type) and not column.null_count)
    if name in NUMBERS:
        if not types.is_integer(column.type) or column.null_count:
            return False
        ends = pc.min_max(column).as_py()
        return not len(column) or bool(0 <= ends["min"] <= ends["max"] <= NUMBERS[name])
    numbers = (types.is_integer, types.is_floating, types.is_null)
    number = any(each(column.type) for each in numbers)
    if kind in ("history", "measures"):
        return number
    if kind == "runs":
        return number if name in OUTCOMES else not types.is_nested(column.type)
    if kind == "predictions":
        return number if name in (*LISTS, "place") else types.is_string(column.type)
    return True


def warn_of(damaged: Collection[Path]) -> None:
    """Warn of files that are torn or missing."""
    for path in damaged:
        warnings.warn(f"{path}: {NO_PART}; left out", LeftOut, stacklevel=3)
