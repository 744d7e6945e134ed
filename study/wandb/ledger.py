"""Keeps which W&B runs a study's folder has made, so that no W&B id is used for two runs.

wandb/offline-run-<time>-<id>/   a run's complete files, for ``wandb sync``
wandb/.writing-<random>/         the files of a run that is being written
wandb/online/<run>.json          a run's id and state on the server
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
    """Return the command that uploads the offline runs.

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
        """Return a run's ``id`` and ``state`` on the server; empty when the run is not there."""
        try:
            content: Any = json.loads(
                (self.folder / "online" / f"{run}.json").read_text(encoding="utf-8")
            )
            return {"id": content["id"], "state": content["state"]}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def note(self, run: str, wandb_id: str, state: str) -> None:
        """Note a run's id and state on the server."""
        content = json.dumps({"id": wandb_id, "state": state}).encode()
        write_whole(self.folder / "online" / f"{run}.json", content)

    def offline_ids(self) -> set[str]:
        """Return the W&B ids of the offline runs."""
        # offline-run-20261123_174959-<id>
        names = (path.name for path in self.folder.glob("offline-run-*"))
        return {name.split("-", 3)[-1] for name in names}

    def published(self) -> set[str]:
        """Return the ids of runs that are complete on the server or in offline files."""
        found = {wandb_id.partition("-")[0] for wandb_id in self.offline_ids()}
        for path in (self.folder / "online").glob("*.json"):
            if self.online(path.stem).get("state") == FINISHED:
                found.add(path.stem)
        return found

    def unused(self, run: str, taken: Collection[str] = ()) -> str:
        """Return an unused W&B id for a new run: the run's own id, or the id with a number.

        Parameters
        ----------
        run
            The run's id.
        taken
            W&B ids that the server refused.
        """
        own = self.online(run)
        used = self.offline_ids() | set(taken)
        if own and own["state"] != ASKED:
            used.add(own["id"])
        elif own and own["id"] not in used:
            return own["id"]  # already chosen, because the ids before it were taken
        return next(
            wandb_id
            for number in itertools.count(1)
            if (wandb_id := run if number == 1 else f"{run}-{number}") not in used
        )
