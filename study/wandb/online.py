"""Reads the runs of a group from a W&B server."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from study.base.errors import BadInput
from study.wandb.client import own_folder, without_keys
from study.wandb.content import EARLIER_PREDICTIONS, PREDICTIONS, Fetched, add_files

if TYPE_CHECKING:
    import wandb

ANSWER_SECONDS = 30
FILES = re.compile(rf"{PREDICTIONS}|{EARLIER_PREDICTIONS}|images/[0-9a-f]{{12}}\.npy")


def read_online(path: str) -> Iterator[Fetched]:
    """Read the runs of ``ENTITY/PROJECT/GROUP``; raises `BadInput` where that gives none."""
    parts = path.split("/", 2)
    if len(parts) != 3 or not all(parts):
        raise BadInput("pull", "ENTITY/PROJECT/GROUP", path)
    # Otherwise the client contacts a server for its error reports.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    entity, project, group = parts
    try:
        api = wandb.Api(timeout=ANSWER_SECONDS)
        found = 0
        with own_folder():
            for run in api.runs(f"{entity}/{project}", filters={"group": group}, lazy=False):
                if run.job_type != "report":
                    found += 1
                    yield _read(run)
    except BadInput:
        raise
    except Exception as error:  # the client may raise anything
        raise BadInput("pull", f"runs of {path}", hint=without_keys(str(error))) from None
    if not found:
        raise BadInput("pull", f"runs of {path}", 0, "check the names")


def _read(run: wandb.apis.public.Run) -> Fetched:
    fetched = Fetched(run.id, dict(run.config), [], {}, [], [])
    fetched.summary.update(json.loads(json.dumps(dict(run.summary), default=dict)))
    if "status" not in fetched.summary:  # the run has not ended, so it gives no records
        return fetched
    # The client's cache is keyed by the run's name and may lack newer epochs.
    fetched.history.extend(run.scan_history(use_cache=False))
    with tempfile.TemporaryDirectory() as folder:
        for file in run.files():
            if FILES.fullmatch(file.name):  # any other name may lead anywhere
                file.download(root=folder, exist_ok=True)
        try:
            add_files(fetched, Path(folder))
        except BadInput as fault:
            return fetched._replace(fault=str(fault))
    return fetched
