"""Reads the files of offline W&B runs: protobuf records in the log format of LevelDB.

LevelDB's log_format.md describes the format (7 bytes of header, blocks of 32 KiB), of which W&B's
checksums differ: zlib's crc32 of the kind and the data. W&B's own package decodes the records.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from study.base.errors import BadInput
from study.base.files import read_regular
from study.wandb.content import Fetched, add_files
from study.wandb.ledger import PARTIAL

MAGIC = b":W&B"
BLOCK, HEADER = 32_768, 7
MOST_BYTES = 2**28  # of a run's file
FULL, FIRST, LAST = 1, 2, 4


def read_all_offline(folder: str) -> Iterator[Fetched]:
    """Read every ``offline-run-…`` folder below a folder; of one that is damaged, say why.

    Raises `BadInput` where there is none.
    """
    found = sorted(
        path
        for path in Path(folder).rglob("offline-run-*")
        if path.is_dir()
        and not path.is_symlink()
        and not path.parent.parent.name.startswith(PARTIAL)
    )
    if not found:
        raise BadInput(folder, "folders offline-run-*", 0, "check the path")
    for path in found:
        try:
            yield read_offline(path)
        except BadInput as fault:
            yield Fetched(str(path), {}, [], {}, [], [], fault=str(fault))


def read_offline(folder: Path) -> Fetched:
    """Read one ``offline-run-…`` folder; a truncated file is read up to its last whole record.

    Raises `BadInput` where the folder has no file of a W&B run, or a damaged one.
    """
    found = sorted(folder.glob("run-*.wandb"))
    if len(found) != 1:
        raise BadInput(str(folder), "one file run-*.wandb", len(found))
    try:
        fetched = _read(found[0])
        add_files(fetched, folder / "files")
    except BadInput:
        raise
    except Exception as error:  # a record may hold anything
        hint = f"{type(error).__name__}: {error}"
        raise BadInput(str(found[0]), "records of a W&B run", hint=hint) from None
    return fetched


def _read(path: Path) -> Fetched:
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]  # generated

    fetched = Fetched(str(path), {}, [], {}, [], [])
    for record in map(Record.FromString, records(path)):
        what = record.WhichOneof("record_type")
        if what == "run":
            _update(fetched.config, record.run.config.update)
        elif what == "config":
            _update(fetched.config, record.config.update)
        elif what == "history":
            row: dict[str, Any] = {}
            _update(row, record.history.item)
            fetched.history.append(row)
        elif what == "summary":
            _update(fetched.summary, record.summary.update)
    return fetched


def _update(into: dict[str, Any], items: Any) -> None:
    for item in items:
        *outer, last = list(item.nested_key) or [item.key]
        inner = into
        for key in outer:
            inner = inner.setdefault(key, {})
        inner[last] = json.loads(item.value_json)


def records(path: Path) -> Iterator[bytes]:
    """Yield the whole records of a ``.wandb`` file as bytes; the file may be truncated.

    Raises `BadInput` where the file is of another kind, or a checksum is another.
    """
    data = read_regular(path, MOST_BYTES)
    if data[:4] != MAGIC:
        raise BadInput(str(path), "a file of an offline W&B run", data[:8])
    at, whole = HEADER, b""
    while at + HEADER <= len(data):
        room = BLOCK - at % BLOCK
        if room < HEADER:  # padding at the end of a block
            at += room
            continue
        checksum, size, kind = struct.unpack_from("<IHB", data, at)
        part = data[at + HEADER : at + HEADER + size]
        if len(part) < size or checksum == size == kind == 0:
            return
        if checksum != zlib.crc32(part, zlib.crc32(bytes([kind]))):
            raise BadInput(str(path), "the bytes that W&B wrote", f"others after byte {at}")
        at += HEADER + size
        whole = part if kind in (FULL, FIRST) else whole + part
        if kind in (FULL, LAST):
            yield whole
