"""Parts: the parquet files that records are written in, each whole or left out.

A part is the records of some runs that ended together: files of one name in runs/ (their rows),
history/ (their epochs) and answers/ (those of their networks). The file in runs/ is written
last. A part's runs have ended once the files in runs/ and history/ are whole; when either is torn
or missing, whoever reads leaves the part out and the next start trains its runs again. A file that
the system does not let this process read is neither: reading it raises.
"""

from __future__ import annotations

import errno
import io
import json
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.base.errors import BadInput, LeftOut
from study.base.files import open_regular, refuse_link, sha256, unreadable, write_whole
from study.records.sound import is_sound, read_bounded
from study.runs.progress import FAILED

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "1"
KINDS = ("history", "predictions", "answers", "runs")  # in the order they are written
OF_EVERY_RUN = ("runs", "history")


def write_part(folder: Path, tables: Mapping[str, pa.Table], writer: str = "") -> str:
    """Write the tables of some runs, by kind, as one part and return its name.

    The name follows from the runs and from ``writer``, a task's name. Two tasks that no lock kept
    from the same runs so have parts of their own, and neither merges or removes the other's.
    """
    rows = tables["runs"]
    rows = rows.select([name for name in ("run", "status") if name in rows.column_names])
    # A run that failed once has another part when it is trained again.
    failed = [" failed" * (row.get("status") == FAILED) for row in rows.to_pylist()]
    names = [f"{run}{end}" for run, end in zip(rows["run"].to_pylist(), failed, strict=True)]
    name = sha256([name.encode() for name in [writer, *names]])[:16]
    for kind in KINDS:
        if kind in tables:
            write_whole(folder / kind / f"{name}.parquet", parquet(tables[kind]))
    return name


def remove_part(folder: Path, name: str) -> None:
    """Remove a part's files, first that of ``runs``, without which nobody reads the others."""
    for kind in reversed(KINDS):
        (folder / kind / f"{name}.parquet").unlink(missing_ok=True)


def merge_parts(folder: Path, names: Sequence[str], writer: str = "") -> list[str]:
    """Write some parts as one, then remove them: a reader finds the old ones or the new one.

    A part that is torn is neither merged nor removed; with no other, none is written.
    """
    parts = {name: tables for name in names if "runs" in (tables := tables_in(folder, name))}
    if not parts:
        return []
    found = {kind: [each[kind] for each in parts.values() if kind in each] for kind in KINDS}
    whole = {kind: concatenate(tables) for kind, tables in found.items() if tables}
    merged = write_part(folder, whole, writer)
    for name in parts:
        if name != merged:
            remove_part(folder, name)
    return [merged]


def part_names(folder: Path) -> list[str]:
    """Return the names of a study's parts.

    They are listed twice: while parts are merged, a list may have neither those nor the whole.

    Raises
    ------
    BadInput, OSError
        The folder cannot be listed.
    """
    found: set[str] = set()
    refuse_link(folder / "runs")
    for _ in range(2):
        try:
            # Not by glob, which takes a folder that it may not list for an empty one.
            found.update(path.name for path in (folder / "runs").iterdir())
        except FileNotFoundError:
            continue
        except NotADirectoryError:
            raise BadInput(str(folder / "runs"), "a folder") from None
        except OSError as error:
            raise unreadable(folder / "runs", error) from None
    return sorted(name.removesuffix(".parquet") for name in found if name.endswith(".parquet"))


def each_part(folder: Path, known: Collection[str] = ()) -> Iterator[str]:
    """Yield the names of a study's parts, each once, all but those ``known``.

    When a part was merged into another while it was read, the other follows.
    """
    done, again = set(known), True
    while again:
        again = False
        for name in part_names(folder):
            if name not in done:
                done.add(name)
                yield name
                again = again or not (folder / "runs" / f"{name}.parquet").exists()


def ended_runs(
    folder: Path,
    columns: Sequence[str] = ("run",),
    known: dict[str, list[tuple[Any, ...]]] | None = None,
    damaged: list[Path] | None = None,
) -> list[tuple[Any, ...]]:
    """Return some columns of runs that have ended, a tuple a run, in the order of the parts.

    Parameters
    ----------
    folder
        A study's folder.
    columns
        Columns of ``runs``.
    known
        The same by part, of parts read before; new ones are added.
    damaged
        Gets the parts that are torn or missing, by their files in runs/.

    Raises
    ------
    BadInput, OSError
        A part of another format, or a file that cannot be read.
    """
    known = {} if known is None else known
    for name in each_part(folder, known):
        rows = read_part(folder / "runs" / f"{name}.parquet", columns)
        # Parquet keeps its column index at the end, so a truncated file cannot be opened.
        history = read_part(folder / "history" / f"{name}.parquet", ["epoch"])
        if rows is not None and history is not None:
            values = (rows[column].to_pylist() for column in columns)
            known[name] = list(zip(*values, strict=True))
        elif damaged is not None and (path := folder / "runs" / f"{name}.parquet").exists():
            damaged.append(path)
    return [row for rows in known.values() for row in rows]


def tables_in(folder: Path, name: str) -> dict[str, pa.Table]:
    """Return the tables of a part by kind; none where its row or its history cannot be read.

    Raises
    ------
    BadInput, OSError
        As `read_part` does.
    """
    found = {kind: read_part(folder / kind / f"{name}.parquet") for kind in KINDS}
    if found["runs"] is None or found["history"] is None:
        return {}
    return {kind: table for kind, table in found.items() if table is not None}


def read_part(
    path: Path, columns: Sequence[str] | None = None, *, some: bool = False
) -> pa.Table | None:
    """Read one file of a part, or some columns of it.

    Parameters
    ----------
    path
        The file.
    columns
        Which columns; None reads all.
    some
        Whether the file may lack some of them.

    Returns
    -------
    pa.Table or None
        None when the file is torn, missing, or no part of a study's records.

    Raises
    ------
    BadInput
        A part of another format, or a file that this user may not read.
    OSError
        Any other reason of the system's that the file cannot be read: it may be whole.
    """
    import pyarrow as pa

    try:
        # Opened here, as pyarrow takes no path that the locale's encoding cannot read.
        with open_regular(path) as opened:
            table = read_bounded(path, opened, columns)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return None
    except BadInput as fault:  # no regular file, or one that promises too much
        warnings.warn(f"{fault}; left out", LeftOut, stacklevel=2)
        return None
    except OSError as error:
        # Without a number the error is pyarrow's own, about the content. A merge may remove the
        # file while it is read, which shows as ENOENT, or on NFS as ESTALE.
        if error.errno in (None, errno.ENOENT, errno.ENOTDIR) or (
            error.errno == errno.ESTALE and not path.exists()
        ):
            return None
        raise unreadable(path, error) from None
    except pa.ArrowException as error:  # no thread could be started: the part may be whole
        raise MemoryError(f"{path}: {error}") from None
    found = (table.schema.metadata or {}).get(b"study.format")
    if found is None or not (some or set(columns or ()).issubset(table.column_names)):
        return None
    if found != FORMAT.encode():
        raise BadInput(
            str(path),
            f"records of format {FORMAT}",
            found.decode(errors="replace"),
            "use the study version it names",
        )
    kind = path.parent.name
    return table.replace_schema_metadata(None) if is_sound(kind, table, columns) else None


def concatenate(tables: Sequence[pa.Table]) -> pa.Table:
    """Return tables one below the other; where a table lacks a column, its cells are empty."""
    import pyarrow as pa

    found: dict[str, set[pa.DataType]] = {}
    parts = list(tables)
    for table in parts:
        for field in table.schema:
            found.setdefault(field.name, set()).add(field.type)
    for name, types in found.items():
        mixed = pa.string() in types or pa.bool_() in types
        if mixed and len(types - {pa.null()}) > 1:  # one table has text in it
            for number, table in enumerate(parts):
                if name in table.column_names:
                    index, column = table.column_names.index(name), table[name].cast(pa.string())
                    parts[number] = table.set_column(index, name, column)
    return pa.concat_tables(parts, promote_options="permissive")


def as_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as a table of all their columns; lists and mappings become JSON text."""
    import pyarrow as pa

    names = list(dict.fromkeys(name for row in rows for name in row))  # pyarrow takes the first's
    plain = [
        {k: json.dumps(v) if isinstance(v := row.get(k), (list, dict)) else v for k in names}
        for row in rows
    ]
    for name in names:
        cells = [row for row in plain if row[name] is not None]
        # A column in which some runs have text and others numbers becomes text.
        if len({isinstance(row[name], str) for row in cells}) > 1:
            for row in cells:
                row[name] = str(row[name])
    return pa.Table.from_pylist(plain)


def parquet(table: pa.Table) -> bytes:
    """Return a table as the content of a part's file."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"study.format": FORMAT}), sink)
    return sink.getvalue()
