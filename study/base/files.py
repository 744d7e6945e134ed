"""Files appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import uuid4

from study.base.errors import BadInput, NotPermitted

PART = ".part"
STALE_SECONDS = 3_600.0
MOST_BYTES = 2**28  # of a file that is read as a whole
_KEPT = "no run is trained while records cannot be read"


def take_leftovers_away(folder: Path) -> None:
    """Remove partly written files of killed processes: those unchanged for an hour."""
    # The patterns enter no folder that another process may rename or remove meanwhile.
    for pattern in (f".*{PART}", f"*/.*{PART}", f"wandb/online/.*{PART}"):
        for path in stale(folder, pattern):
            path.unlink(missing_ok=True)


def stale(folder: Path, pattern: str) -> Iterator[Path]:
    """Yield the files and folders that match a pattern and have not changed for an hour."""
    if not folder.is_dir():
        return
    now = file_time(folder)
    for path in folder.glob(pattern):
        with contextlib.suppress(FileNotFoundError):
            if now - path.stat().st_mtime > STALE_SECONDS:
                yield path


def file_time(folder: Path) -> float:
    """Return the time by the clock of a folder's file system, which may be on a server."""
    with tempfile.TemporaryFile(dir=folder, prefix=".") as file:
        return os.fstat(file.fileno()).st_mtime


def make_room(folder: Path) -> None:
    """Make a folder, but not its parent: a study's folder that the user removed stays removed.

    Raises
    ------
    FileNotFoundError
        The parent folder has gone.
    """
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError:
        raise gone(folder.parent) from None


def gone(folder: Path) -> FileNotFoundError:
    """Return an error that names the topmost missing folder on the way to ``folder``."""
    while folder.parent != folder and not folder.parent.exists():
        folder = folder.parent
    return FileNotFoundError(errno.ENOENT, "the study's folder has gone", str(folder))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file by one rename, so that a reader sees the whole old file or the whole new one."""
    with _written(path, content) as temporary:
        temporary.replace(path)


def write_first(path: Path, content: bytes) -> bytes:
    """Write a file unless it exists already, and return the file's content."""
    with _written(path, content) as temporary, contextlib.suppress(FileExistsError):
        path.hardlink_to(temporary)
    return path.read_bytes()


@contextlib.contextmanager
def _written(path: Path, content: bytes) -> Iterator[Path]:
    """Write a temporary file beside ``path``, and remove it unless the caller renames it."""
    make_room(path.parent)
    # Not by tempfile, which would let nobody but the owner read the file.
    temporary = path.with_name(f".{path.name}.{uuid4().hex}{PART}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    except FileNotFoundError:
        raise gone(path.parent) from None
    finally:
        temporary.unlink(missing_ok=True)


def read_regular(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return the content of a file that anybody may have made; never waits, and follows no link.

    Raises
    ------
    BadInput
        Anything but a file, a link on the way to it, or more than ``most`` bytes.
    OSError
        The system cannot open it.
    """
    if path.parent.is_symlink():
        raise BadInput(str(path.parent), "a folder", "a link")
    if not stat.S_ISREG(path.lstat().st_mode):
        raise BadInput(str(path), "a regular file", hint="it is a link or something else")
    with io.FileIO(str(path), opener=_open) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            raise BadInput(str(path), f"a regular file of at most {most:,} bytes", found.st_size)
        return file.readall()


def _open(path: str, flags: int) -> int:
    # Without O_NONBLOCK, opening a FIFO waits for a writer.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def unreadable(path: Path, error: OSError) -> NotPermitted | OSError:
    """Return the exception to raise for a file or folder that cannot be read.

    Returns
    -------
    NotPermitted or OSError
        `NotPermitted` names the missing permission and its file or folder. Any other error, such
        as a failing disk, is returned with the path in its message.
    """
    if not isinstance(error, PermissionError):
        return OSError(error.errno, error.strerror or str(error), str(path))
    for folder in reversed(path.absolute().parents):
        if not os.access(folder, os.X_OK):
            return NotPermitted(str(folder), "permission to enter it (x)", hint=_KEPT)
    return NotPermitted(str(path), "permission to read it (r)", hint=_KEPT)


def sha256(parts: Iterable[bytes | memoryview]) -> str:
    """Return the hexadecimal sha256 of the parts joined together."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
