"""File systems that are full or read-only when a test says so."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

PLENTY = "size=64m,nr_inodes=10000"


class Disk:
    """A file system of its own, in memory, which a test may fill, or take the writing from.

    Parameters
    ----------
    path
        Where; made if it is missing.
    options
        Of the mount: ``size``, ``nr_inodes``.
    """

    def __init__(self, path: Path, options: str = PLENTY) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path))

    def change(self, options: str) -> None:
        """Mount it again in another way; once nobody writes, if it is to be read-only."""
        end = time.monotonic() + 10
        while True:
            try:
                return _run("mount", "-o", f"remount,{options}", str(self.path))
            except OSError:
                if time.monotonic() > end:
                    raise

    def fill(self, free: int = 0) -> None:
        """Leave so many bytes free, in whole pages."""
        with suppress(OSError), (self.path / ".ballast").open("ab", buffering=0) as file:
            while file.write(bytes(1 << 16)):
                pass
        with (self.path / ".ballast").open("r+b") as file:
            file.truncate(max(0, (self.path / ".ballast").stat().st_size - free))

    def empty(self) -> None:
        """Give the space back."""
        (self.path / ".ballast").unlink()

    def remove(self) -> None:
        """Unmount it."""
        _run("umount", "-l", str(self.path))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise OSError(done.stderr.strip() or f"{command[0]}: status {done.returncode}")


@contextmanager
def disks() -> Iterator[ExitStack]:
    """Give a stack of disks that are removed at the end; skip where this user cannot mount."""
    with ExitStack() as mounted:
        yield mounted


def mount(mounted: ExitStack, path: Path, options: str = PLENTY) -> Disk:
    """Mount a disk until the end of a test; skip the test where this user cannot."""
    try:
        disk = Disk(path, options)
    except OSError as error:
        pytest.skip(f"needs a file system of its own, so root: {error}")
    mounted.callback(disk.remove)
    return disk
