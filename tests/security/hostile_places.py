"""What a stranger may put in the place of any file or folder of a study."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np

SECRET = "s3cret-of-the-reader"
Damage = Callable[[Path], None]

# What may stand in the place of any file.


def to_link(path: Path) -> None:
    """Put a link to the reader's own file there."""
    path.unlink()
    secret = path.parents[2] / f"secret{path.suffix}"
    secret.write_text(SECRET)
    path.symlink_to(secret)


def to_linked_copy(path: Path) -> None:
    """Put a link to a file there that holds what this one held."""
    moved = path.parents[2] / f"moved{path.suffix}"
    path.rename(moved)
    path.symlink_to(moved)


def to_endless_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def to_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def to_socket(path: Path) -> None:
    path.unlink()
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def to_nothing(path: Path) -> None:
    path.write_bytes(b"")


def to_half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def to_noise(path: Path) -> None:
    path.write_bytes(bytes(np.random.Generator(np.random.PCG64(0)).integers(0, 256, 500, np.uint8)))


def to_a_giant(path: Path) -> None:
    """Let a file say that it has 2**40 bytes, of which the disk holds nothing."""
    with path.open("r+b") as file:
        file.truncate(2**40)


PLACES: tuple[Damage, ...] = (
    *(to_link, to_linked_copy, to_endless_link, to_fifo, to_socket, to_folder),
    *(to_nothing, to_half, to_noise, to_a_giant),
)


# What may stand in the place of any folder.


def linked_folder(folder: Path) -> None:
    """Move a folder out of the study's, and put a link there."""
    moved = folder.parents[1] / f"moved-{folder.name}"
    folder.rename(moved)
    folder.symlink_to(moved)


def file_for_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("")


def fifo_for_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    os.mkfifo(folder)


def no_folder(folder: Path) -> None:
    shutil.rmtree(folder)


FOLDERS: tuple[Damage, ...] = (linked_folder, file_for_folder, fifo_for_folder, no_folder)
