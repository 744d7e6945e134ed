"""Reads the files of W&B runs, which anybody may have made: no links, no devices, nothing huge."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from study.base.errors import BadInput
from study.base.files import sha256
from study.records.parquet import as_table, read_part
from study.wandb.content import EARLIER_PREDICTIONS, IMAGES, PREDICTIONS, Fetched

if TYPE_CHECKING:
    import pyarrow as pa

MOST_BYTES = 2**28  # of one file
MOST_ROWS = 10**7  # of predictions


def whole_file(path: Path) -> bytes:
    """Return a file's content.

    Raises
    ------
    BadInput
        No ordinary file, or one of more than `MOST_BYTES`.
    """
    expected = f"an ordinary file of at most {MOST_BYTES >> 20} MiB"
    try:
        # Without O_NONBLOCK, opening a FIFO waits for a writer.
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise BadInput(str(path), expected, hint=error.strerror or str(error)) from None
    try:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise BadInput(str(path), expected, hint="it is something else")
        if status.st_size > MOST_BYTES:
            raise BadInput(str(path), expected, f"{status.st_size} bytes")
        with os.fdopen(os.dup(number), "rb") as file:
            return file.read(MOST_BYTES)
    finally:
        os.close(number)


def add_files(fetched: Fetched, files: Path) -> None:
    """Add predictions and images, from the folder of a W&B run's files.

    Raises
    ------
    BadInput
        A file that cannot be read.
    """
    if (whole := files / PREDICTIONS).exists():
        fetched.predictions.append(_predictions(whole, fetched.summary.get("predictions_hash")))
    elif (earlier := files / EARLIER_PREDICTIONS).exists():
        try:
            rows = json.loads(whole_file(earlier))
            fetched.predictions.extend([as_table(rows)] if rows else [])
        except BadInput:
            raise
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise BadInput(str(earlier), "predictions as JSON", hint=str(error)) from None
    if (files / "images").is_symlink():
        raise BadInput(str(files / "images"), "a folder", "a link")
    for path in sorted((files / "images").glob("*.npy")):
        content = whole_file(path)
        if not sha256([content]).startswith(path.stem) or not IMAGES.fullmatch(path.stem):
            raise BadInput(str(path), "images with the hash that is their name", "others")
        fetched.images.append(content)


def _predictions(path: Path, written: str | None) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if written not in (sha256([whole_file(path)]), None):
        raise BadInput(str(path), "the predictions that were sent", "others")
    try:
        metadata = pq.read_metadata(path)
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        promised = sum(group.total_byte_size for group in groups)
        if metadata.num_rows > MOST_ROWS or promised > MOST_BYTES:
            found = f"{metadata.num_rows} rows of {promised} bytes"
            raise BadInput(str(path), f"predictions of at most {MOST_BYTES >> 20} MiB", found)
        table = read_part(path)
    except (pa.ArrowException, OSError):
        table = None
    if table is None or not {"run", "images"}.issubset(table.column_names):
        raise BadInput(str(path), "predictions as a whole parquet file")
    return table
