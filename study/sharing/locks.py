"""Locks of the operating system: which task trains which run, so that no two train the same one.

A task locks one byte for each run that it trains: in one of 256 files in ``locks/`` of the study's
folder, chosen by the first two digits of the run's id, the byte at the rest of the id. Many files,
because a kernel searches the locks of one file one after another. The kernel releases the locks of
a process that ends, however it ends, so nothing here asks who is alive.

Linux's locks belong to an open file (open-file-description locks). Elsewhere they belong to the
process, which loses them when it closes any descriptor of the file: there, all `Locks` of a folder
in one process share descriptors that stay open, and count as one owner.

Some file systems do not lock between machines, and some refuse to lock at all. Every lock is then
granted, and two tasks may train the same run; see docs/clusters.md.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from study.base.errors import LeftOut
from study.base.files import make_room

FOLDER = "locks"
PER_FILE = hasattr(fcntl, "F_OFD_SETLK")
SET = fcntl.F_OFD_SETLK if PER_FILE else fcntl.F_SETLK
GET = fcntl.F_OFD_GETLK if PER_FILE else fcntl.F_GETLK
# The system's struct flock, with its padding: l_type is first on Linux and last but one on macOS.
MACOS = sys.platform == "darwin"
FLOCK = struct.Struct("qqihh" if MACOS else "hhqqi0q")
SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK  # the folder may come from somebody else
TAKEN = (errno.EAGAIN, errno.EACCES)
NOT_SUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
NO_FILE = (errno.ELOOP, errno.ENXIO, errno.ENOTDIR, errno.EISDIR, errno.EBADF, errno.EINVAL)
_SHARED: dict[Path, int] = {}


class Locks:
    """The locks that one task holds, by the names of runs: 12 hexadecimal digits.

    Parameters
    ----------
    folder
        The study's folder.

    Attributes
    ----------
    refused : bool
        Whether the file system has refused to lock.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     mine, theirs = Locks(Path(folder)), Locks(Path(folder))
    ...     mine.take("0" * 12), mine.held("0" * 12), theirs.held("0" * 12)
    (True, False, True)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER
        self.refused = False
        self._files = dict[Path, int]() if PER_FILE else _SHARED
        self._mine: set[str] = set()

    def take(self, name: str) -> bool:
        """Lock a run; return whether this task holds it now."""
        if name in self._mine:
            return True
        if not self._lock(name, fcntl.F_WRLCK):
            return False
        self._mine.add(name)
        return True

    def release(self, names: Iterable[str]) -> None:
        """Release some of the runs that this task holds."""
        for name in self._mine.intersection(names):
            self._lock(name, fcntl.F_UNLCK)
            self._mine.discard(name)

    def held(self, name: str) -> bool:
        """Ask whether another task holds a run; nothing is locked or written."""
        path, byte = self._place(name)
        if name in self._mine:
            return False
        try:
            # A file with locks of this process stays open, as closing it could release them.
            file = self._files.get(path) or os.open(path, os.O_RDONLY | SAFELY)
            try:
                answer = fcntl.fcntl(file, GET, _flock(fcntl.F_WRLCK, byte))
            finally:
                if path not in self._files:
                    os.close(file)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno in NO_FILE:
                warnings.warn(f"{path}: no file to lock ({error.strerror})", LeftOut, stacklevel=2)
                return False
            return self._refuse(error)
        return bool(FLOCK.unpack(answer)[3 if MACOS else 0] != fcntl.F_UNLCK)

    def close(self) -> None:
        """Release all locks of this task."""
        self.release(list(self._mine))
        if PER_FILE:
            for file in self._files.values():
                with suppress(OSError):
                    os.close(file)
            self._files.clear()

    def __del__(self) -> None:
        if PER_FILE:
            self.close()

    def _lock(self, name: str, kind: int) -> bool:
        path, byte = self._place(name)
        try:
            if path not in self._files:
                make_room(self.folder)
                self._files[path] = os.open(path, os.O_RDWR | os.O_CREAT | SAFELY, 0o666)
            fcntl.fcntl(self._files[path], SET, _flock(kind, byte))
        except OSError as error:
            return error.errno not in TAKEN and not self._refuse(error)
        return True

    def _refuse(self, error: OSError) -> bool:
        """Note that the file system does not lock, and return that nobody else holds the run."""
        if error.errno not in NOT_SUPPORTED:
            raise error
        self.refused = True
        return False

    def _place(self, name: str) -> tuple[Path, int]:
        return self.folder / name[:2], int(name[2:], 16)


def _flock(kind: int, byte: int) -> bytes:
    owner, length = 0, 1
    if MACOS:
        return FLOCK.pack(byte, length, owner, kind, os.SEEK_SET)
    return FLOCK.pack(kind, os.SEEK_SET, byte, length, owner)
