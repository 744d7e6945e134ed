"""Tries whether locks on a file system exclude processes on different machines."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from study.base.errors import BadInput
from study.base.files import make_room, read_regular, write_whole
from study.sharing.locks import FOLDER, Locks

NAME = "0" * 12
POLL_SECONDS = 0.5
MOST_SECONDS = 120.0


def exclude_each_other(folder: Path, say: Callable[[str], None]) -> bool:
    """Tell whether this process and one started elsewhere cannot hold one lock at the same time.

    Each tries to take one lock, keeps what it got, and says in a file whether it did; a file counts
    once it changes, so that none of an earlier trial does.

    Raises
    ------
    BadInput
        No second process came.
    """
    locks, place = Locks(folder), folder / FOLDER / "test"
    make_room(folder / FOLDER)
    make_room(place)
    mine = place / f"{platform.node()}-{uuid4().hex[:6]}.json"
    taken = locks.take(NAME)
    got = "got the lock" if taken else "did not get the lock"
    got = "cannot lock here: the file system refuses" if locks.refused else got
    say(f"{platform.node()} {got}; start the same command on another machine")
    first: dict[Path, str] = {}
    other: dict[str, Any] = {}
    try:
        for turn in range(int(MOST_SECONDS / POLL_SECONDS)):
            content = {"turn": turn, "taken": taken, "seen": other.get("name", "")}
            write_whole(mine, json.dumps(content).encode())
            there = _others(mine)
            for path, text in there.items():
                if first.setdefault(path, text) != text:
                    other = {"name": path.name, **json.loads(text)}
            # Neither process leaves before the other has seen its file change.
            if other and (other["seen"] == mine.name or place / other["name"] not in there):
                got = "got" if other["taken"] else "did not get"
                say(f"{other['name'].rpartition('-')[0]} {got} the lock")
                return bool(taken != other["taken"])
            time.sleep(POLL_SECONDS)
    finally:
        mine.unlink(missing_ok=True)
        locks.close()
    hint = "start the same command on another machine meanwhile"
    raise BadInput("--test-locks", f"a second process within {MOST_SECONDS:.0f} s", hint=hint)


def _others(mine: Path) -> dict[Path, str]:
    """Return what the other processes' files hold."""
    found = {}
    for path in set(mine.parent.glob("*.json")) - {mine}:
        with suppress(FileNotFoundError, BadInput):
            found[path] = read_regular(path).decode(errors="replace")
    return found
