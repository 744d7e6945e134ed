"""What the commands print and write; narrow encodings and closed pipes are not errors."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TextIO


def say(line: str) -> None:
    """Print a line for the next program, or for a person, on the standard output."""
    _print(line, sys.stdout)


def complain(line: str) -> None:
    """Print a line about a fault on the standard error."""
    _print(line, sys.stderr)


def _print(line: str, stream: TextIO | None) -> None:
    if stream is None:  # as Python sets it where the descriptor was closed from the start
        return
    encoding = stream.encoding or "utf-8"
    written = line.encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(written, file=stream, flush=True)
    except BrokenPipeError:
        forget(stream)


def forget(stream: TextIO) -> None:
    """Send what a stream still holds nowhere: its reader has gone, and Python flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def flush() -> None:
    """Flush both streams; argparse prints its help without doing so."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except BrokenPipeError:
            forget(stream)


def write(path: Path, text: str) -> None:
    """Write a text file in UTF-8; what UTF-8 has no bytes for is written as an escape."""
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
