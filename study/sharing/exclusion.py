"""Tries whether locks on a file system exclude processes on different machines."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from study.base.errors import BadInput
from study.base.files import make_room, write_whole
from study.sharing.locks import FOLDER, Locks

NAME = "0" * 12
POLL_SECONDS = 0.5
MOST_SECONDS = 120.0


def exclude_each_other(folder: Path, say: Callable[[str], None]) -> bool:
    """Tell whether this process and one started elsewhere can not hold the same lock.

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
    got = "got the lock" if taken and not locks.refused else "did not get the lock"
    if locks.refused:
        got = "cannot lock here: the file system refuses"
    say(f"{platform.node()} {got}; start the same command on another machine")
    first: dict[Path, str] = {}
    try:
        for turn in range(int(MOST_SECONDS / POLL_SECONDS)):
            write_whole(mine, json.dumps({"turn": turn, "taken": taken}).encode())
            for path in set(place.glob("*.json")) - {mine}:
                text = path.read_text(encoding="utf-8")
                if first.setdefault(path, text) != text:
                    theirs = bool(json.loads(text)["taken"])
                    say(
                        f"{path.stem.rpartition('-')[0]} {'got it' if theirs else 'did not get it'}"
                    )
                    time.sleep(2 * POLL_SECONDS)  # until the other one has seen this file change
                    return taken != theirs
            time.sleep(POLL_SECONDS)
    finally:
        mine.unlink(missing_ok=True)
        locks.close()
    hint = "start the same command on another machine meanwhile"
    raise BadInput("--test-locks", f"a second process within {MOST_SECONDS:.0f} s", hint=hint)
