"""Files appear whole or not at all, and no link or special file in a study's folder is opened.

A study's folder may come from somebody else. So below it only regular files are read, of a bounded
size, and a link is followed neither to read nor to write nor to delete.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import stat
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic_core import from_json

from study.base.errors import BadInput, LeftOut, NotPermitted

PART = ".part"
STALE_SECONDS = 3_600.0
MOST_BYTES = 2**24  # of a file that is read as a whole: text and JSON
MADE_FIRST = ("sources", "environment", "runs", "history")
_KEPT = "no run is trained while records cannot be read"
_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def take_leftovers_away(folder: Path) -> None:
    """Remove partly written files of killed processes: those unchanged for an hour."""
    # The patterns enter no folder that another process may rename or remove meanwhile.
    for pattern in (f".*{PART}", f"*/.*{PART}", f"wandb/online/.*{PART}"):
        for path in stale(folder, pattern):
            if path.is_file() or path.is_symlink():
                path.unlink(missing_ok=True)


def stale(folder: Path, pattern: str) -> Iterator[Path]:
    """Yield the files and folders that match a pattern and have not changed for an hour.

    Nothing behind a link below the folder is among them.
    """
    if not folder.is_dir():
        return
    now = file_time(folder)
    for path in folder.glob(pattern):
        between = path.relative_to(folder).parents
        if any((folder / each).is_symlink() for each in between if each.name):
            continue
        with contextlib.suppress(FileNotFoundError):
            if now - path.lstat().st_mtime > STALE_SECONDS:
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
    BadInput
        The folder is a link.
    """
    refuse_link(folder)
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError:
        raise gone(folder.parent) from None


def results_folder_of(path: Path) -> Path | None:
    """Return the results folder that a path is or lies in, None if it lies in none.

    A results folder has a ``study.yaml`` beside one of the folders that a study makes at its start
    or for its records, whoever has made them.

    Examples
    --------
    >>> results_folder_of(Path("tests/data_folders/format1/runs")).name
    'format1'
    """
    try:
        path = path.resolve()
        for folder in (path, *path.parents):
            if (folder / "study.yaml").exists() and any((folder / n).is_dir() for n in MADE_FIRST):
                return folder
    except (OSError, ValueError, RuntimeError):  # no path of this system's, or a loop of links
        pass
    return None


def refuse_link(folder: Path) -> None:
    """Raise `BadInput` for a folder that is a link: what it leads to is outside the study's."""
    if folder.is_symlink():
        raise BadInput(str(folder), "a folder", "a link", "links in a study's folder stay unused")


def files_in(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a folder in a study's that match; a line says when it is no folder."""
    found = []
    try:
        refuse_link(folder)
        if os.path.lexists(folder) and not folder.is_dir():
            raise BadInput(str(folder), "a folder")
        found = sorted(folder.glob(pattern))
    except BadInput as fault:
        warnings.warn(f"{fault}; left out", LeftOut, stacklevel=3)
    return found


def open_regular(path: Path, most: int | None = None, *, top: bool = False) -> io.BufferedReader:
    """Open a file in a study's folder to read; it never waits, and follows no link.

    Parameters
    ----------
    path
        The file.
    most
        The largest size in bytes; None takes any.
    top
        Whether the file stands in the study's folder itself, which may be reached by a link.

    Raises
    ------
    BadInput
        A link, FIFO, device, socket or folder, a folder that is a link, or too large a file.
    OSError
        The system cannot open it.
    """
    if not top:
        refuse_link(path.parent)
    _check_kind(path, path.lstat())  # first, because opening a device may do something
    file = io.FileIO(str(path), opener=_open)
    try:
        found = os.fstat(file.fileno())
        _check_kind(path, found)
        if most is not None and found.st_size > most:
            raise BadInput(str(path), f"a file of at most {most:,} bytes", found.st_size)
        return io.BufferedReader(file)
    except BaseException:
        file.close()
        raise


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _check_kind(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise BadInput(str(path), "a regular file", hint=f"it is {kind}")


def read_regular(path: Path, most: int = MOST_BYTES, *, top: bool = False) -> bytes:
    """Return the content of a file in a study's folder; see `open_regular`."""
    with open_regular(path, most, top=top) as file:
        size = os.fstat(file.fileno()).st_size  # read() takes as much memory as it is told
        return file.read(min(size, most))


def read_json(path: Path, what: str, most: int = MOST_BYTES) -> dict[str, Any]:
    """Return the JSON object in a file of a study's folder; ``what`` says in errors what it is.

    Raises
    ------
    BadInput
        The file is missing, may not be read, is no regular file, or holds no JSON object.
    OSError
        The system cannot read it just now.
    """
    try:
        found = from_json(read_regular(path, most))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadInput(str(path), what, hint=str(error.strerror)) from None
    except OSError as error:
        raise unreadable(path, error) from None
    except BadInput:
        raise
    except ValueError as error:
        raise BadInput(str(path), what, hint=f"no JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadInput(str(path), what, found)
    return found


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
    return read_regular(path)


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
