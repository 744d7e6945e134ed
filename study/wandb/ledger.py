"""Which W&B runs a study's folder has made: no id is written by two, none is begun again.

wandb/offline-run-<time>-<id>/   a run's files, whole, for ``wandb sync``
wandb/.writing-<random>/         those of one that is being written
wandb/online/<run>.json          the id a run has on the server, and how far it is there
"""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Collection
from pathlib import Path
from typing import Any

from study.base.files import write_whole

PARTIAL = ".writing-"
ASKED, BEGUN, FINISHED = "asked", "begun", "finished"


def sync_command(folder: Path) -> str:
    """Return the line that brings up the runs that stand in files.

    Examples
    --------
    >>> sync_command(Path("my results"))
    "wandb sync 'my results/wandb'/offline-run-*"
    """
    return f"wandb sync {shlex.quote(str(folder / 'wandb'))}/offline-run-*"


class Ledger:
    """The W&B runs of one study's folder.

    Parameters
    ----------
    folder
        The study's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "wandb"

    def online(self, run: str) -> dict[str, str]:
        """Return a run's ``id`` on the server and its ``state``; empty when it has none."""
        try:
            content: Any = json.loads(
                (self.folder / "online" / f"{run}.json").read_text(encoding="utf-8")
            )
            return {"id": content["id"], "state": content["state"]}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def note(self, run: str, wandb_id: str, state: str) -> None:
        """Note how far a run is on the server."""
        content = json.dumps({"id": wandb_id, "state": state}).encode()
        write_whole(self.folder / "online" / f"{run}.json", content)

    def offline_ids(self) -> set[str]:
        """Return the ids of the runs that stand in files."""
        # offline-run-20261123_174959-<id>
        names = (path.name for path in self.folder.glob("offline-run-*"))
        return {name.split("-", 3)[-1] for name in names}

    def published(self) -> set[str]:
        """Return the study's runs that are in W&B, or in files for it, to their end."""
        found = {wandb_id.partition("-")[0] for wandb_id in self.offline_ids()}
        for path in (self.folder / "online").glob("*.json"):
            if self.online(path.stem).get("state") == FINISHED:
                found.add(path.stem)
        return found

    def unused(self, run: str, taken: Collection[str] = ()) -> str:
        """Return the id for a run begun from scratch: its own, or the next with a number.

        Parameters
        ----------
        run
            The study's run.
        taken
            Ids that something else has.
        """
        own = self.online(run)
        used = self.offline_ids() | set(taken)
        if own and own["state"] != ASKED:
            used.add(own["id"])
        elif own and own["id"] not in used:
            return own["id"]  # it asked for this one because those before it were taken
        return next(
            wandb_id
            for number in itertools.count(1)
            if (wandb_id := run if number == 1 else f"{run}-{number}") not in used
        )
