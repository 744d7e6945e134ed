"""Shared by all commands: parsing, one-line errors and exit statuses.

A command is a function that takes its arguments and returns an exit status. `run_command` turns an
exception into one line on standard error, and lets the command go on when its output is closed.
"""

from __future__ import annotations

import argparse
import codecs
import contextlib
import errno
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO, cast

from study.base.errors import BadInput, CodeFailed, LeftOut, nearest
from study.base.files import results_folder_of
from study.base.interrupt import StoppedAtOnce
from study.base.text import plain

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
# Replacements for characters that the terminal's encoding lacks.
PLAIN = str.maketrans({"±": "+-", "–": "-", "−": "-", "…": "...", "×": "x", "━": "-", "╸": "-"})
# Python's placeholders in a path for bytes that the file system's encoding cannot decode.
UNDECODED = frozenset(map(chr, range(0xDC80, 0xDD00)))
# The pipe's reader has gone, or the terminal has hung up.
UNHEARD = (errno.EPIPE, errno.EIO)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are `BadInput`, with the nearest option."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise argparse's error as `BadInput`."""
        option = message.removeprefix("argument ").partition(":")[0].partition(" ")[0]
        unknown = message.partition("unrecognized arguments: ")[2].split()
        known = {name: action for action in self._actions for name in action.option_strings}
        if unknown:
            word = unknown[0].partition("=")[0]
            near = [f"--config {word}"] if word.endswith((".yaml", ".yml")) else known
            hint = nearest(word, near) or "see --help"
            raise BadInput(word, f"an option of {self.prog}", hint=hint)
        if option in known and message.endswith("expected one argument"):
            wanted = str(known[option].metavar or "a value")
            raise BadInput(option, wanted, hint="no value was given")
        raise BadInput(
            option if option.startswith("-") else "arguments",
            f"arguments as {self.prog} --help says",
            hint=message,
        )


def run_command(
    command: Callable[[Sequence[str]], int],
    argv: Sequence[str] | None,
    name: str,
    again: Callable[[Sequence[str]], str] = lambda argv: "",
) -> int:
    """Run a command and return its exit status: 0 done, 1 failed, 2 bad input, 130 interrupted.

    Parameters
    ----------
    command
        Takes the arguments; returns an exit status.
    argv
        The arguments; None takes this process's arguments.
    name
        The first word of each line on standard error, e.g. ``study.fit``.
    again
        Returns what to do after a stop or a failure, e.g. the command that goes on.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    leave_results_folders()
    with steady_output(), _short_warnings(name):
        try:
            status = command(argv)
            sys.stdout.flush()
            return status
        except SystemExit:  # after --help
            sys.stdout.flush()
            raise
        except BadInput as fault:
            return _say(f"{name}: {fault}", BAD_INPUT)
        except (KeyboardInterrupt, StoppedAtOnce):
            what, status = "stopped at once", INTERRUPTED
        except (OSError, MemoryError, CodeFailed) as error:
            what = plain(" ".join((str(error) or type(error).__name__).split()))
            status = FAILED
        return _say("; ".join(filter(None, [f"{name}: {what}", again(argv)])), status)


def leave_results_folders() -> None:
    """Take results folders off the import path, where ``python -m`` puts the working folder."""
    sys.path[:] = [entry for entry in sys.path if not results_folder_of(Path(entry or "."))]


@contextlib.contextmanager
def _short_warnings(name: str) -> Iterator[None]:
    """Write warnings of what was left out as one line each, without the line of code."""
    usual = warnings.formatwarning

    def written(message: Any, category: type[Warning], *place: Any, **more: Any) -> str:
        if issubclass(category, LeftOut):
            return f"{name}: {message}\n"
        return usual(message, category, *place, **more)

    warnings.formatwarning = written
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _say(line: str, status: int) -> int:
    print(line, file=sys.stderr, flush=True)
    return status


@contextlib.contextmanager
def steady_output() -> Iterator[None]:
    """Keep trouble with standard output or error from stopping the command.

    When a pipe's reader is gone, further output is dropped. Characters that the encoding lacks are
    written in plain letters. Streams that were closed from the start write to the null device.
    """
    _open_what_is_closed()
    codecs.register_error("study.plain", _in_plain_letters)
    before = sys.stdout, sys.stderr
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        streams = [nowhere if stream is None else stream for stream in before]
        for stream in streams:
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="study.plain")
        sys.stdout, sys.stderr = (cast("TextIO", _Steady(stream)) for stream in streams)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before


def _open_what_is_closed() -> None:
    """Open closed standard descriptors, so that no file of records gets their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # open() takes the lowest free number, which is this one; children inherit it.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _in_plain_letters(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end].translate(PLAIN)
    plain = "".join(c if ord(c) < 128 or c in UNDECODED else "?" for c in signs)
    if any(c in UNDECODED for c in plain):
        return plain.encode("ascii", "surrogateescape"), error.end
    return plain, error.end


class _Steady:
    """A text stream that drops its output once its reader is gone."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the text, or drop it when the reader is gone."""
        with self._unheard():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream, or drop its output when the reader is gone."""
        with self._unheard():
            self._stream.flush()

    @contextlib.contextmanager
    def _unheard(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in UNHEARD:
                raise
            # The descriptor itself, so that neither a child nor the interpreter's exit fails.
            with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())
