"""Keeps which W&B runs a study's folder has made, so that no W&B id is used for two runs.

wandb/mark                       a few random letters, the end of this folder's W&B ids
wandb/offline-run-<time>-<id>/   a run's complete files, for ``wandb sync``
wandb/.writing-<random>/         the files of a run that is being written
wandb/online/<run>.json          a run's id and state on the server

Two studies may have a run in common, and its id. The mark, which is made once and goes with the
folder, keeps them apart in W&B. Earlier versions sent runs under their plain ids, which they keep.
"""

from __future__ import annotations

import itertools
import json
import re
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from study.base.errors import BadInput
from study.base.files import make_room, read_json, write_first, write_whole

PARTIAL = ".writing-"
ONLINE = "online"
BEGUN, FINISHED = "begun", "finished"  # an earlier version's "asked" says nothing


def sync_command(folder: Path) -> str:
    """Return the command that uploads the offline runs, those that were not uploaded before."""
    return f"wandb sync {shlex.quote(str(folder / 'wandb'))}/offline-run-*"


def push_command(folder: Path) -> str:
    """Return the command that sends the runs that W&B lacks."""
    return shlex.join(["study", "wandb", "push", str(folder)])


class Ledger:
    """The W&B runs of one study's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "wandb"

    def mark(self) -> str:
        """Return the folder's mark, made at the first call."""
        make_room(self.folder)
        path = self.folder / "mark"
        found = write_first(path, secrets.token_hex(3).encode())
        if not re.fullmatch(rb"[0-9a-z]{1,12}", found):
            raise BadInput(str(path), "the few letters and digits that end W&B's ids", found)
        return found.decode()

    def online(self, run: str) -> dict[str, str]:
        """Return a run's ``id`` and ``state`` on the server; empty when the run is not there."""
        try:
            content: Any = read_json(self.folder / ONLINE / f"{run}.json", "a run's id in W&B")
            found = {"id": content["id"], "state": content["state"]}
            whole = re.fullmatch(rf"{run}(-[0-9a-z]{{1,12}}){{0,2}}", found["id"])
            return found if whole and found["state"] in (BEGUN, FINISHED) else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def note(self, run: str, wandb_id: str, state: str) -> None:
        """Note a run's id and state on the server."""
        content = json.dumps({"id": wandb_id, "state": state}).encode()
        write_whole(self.folder / ONLINE / f"{run}.json", content)

    def offline_ids(self) -> set[str]:
        """Return the W&B ids of the offline runs."""
        # offline-run-20261123_174959-<id>
        names = (path.name for path in self.folder.glob("offline-run-*"))
        return {name.split("-", 3)[-1] for name in names}

    def published(self) -> set[str]:
        """Return the ids of runs that are complete on the server or in offline files."""
        found = {wandb_id.partition("-")[0] for wandb_id in self.offline_ids()}
        for path in (self.folder / ONLINE).glob("*.json"):
            if self.online(path.stem).get("state") == FINISHED:
                found.add(path.stem)
        return found

    def unused(self, run: str) -> Iterator[str]:
        """Yield the W&B ids that a run may get: its own with the mark, then numbered ones."""
        used, own = self.offline_ids(), f"{run}-{self.mark()}"
        numbered = (f"{own}-{number}" for number in itertools.count(2))
        return (each for each in itertools.chain([own], numbered) if each not in used)
