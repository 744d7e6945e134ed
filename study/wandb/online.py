"""Reads the runs of a group from a W&B server."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from study.base.errors import BadInput
from study.wandb.client import clean_environment, own_folder, without_keys
from study.wandb.content import EARLIER_PREDICTIONS, PREDICTIONS, Fetched, add_files

if TYPE_CHECKING:
    import wandb

ANSWER_SECONDS = 30
# Raised by what a run holds; a server that fails raises others.
OF_CONTENT = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
FILES = re.compile(rf"{PREDICTIONS}|{EARLIER_PREDICTIONS}|images/[0-9a-f]{{12}}\.npy")


def read_online(path: str) -> Iterator[Fetched]:
    """Read the runs of ``ENTITY/PROJECT/GROUP``; raises `BadInput` where that gives none."""
    parts = path.split("/", 2)
    if len(parts) != 3 or not all(parts):
        raise BadInput("pull", "ENTITY/PROJECT/GROUP", path)
    clean_environment()
    import wandb

    entity, project, group = parts
    try:
        api = wandb.Api(timeout=ANSWER_SECONDS)
        found = 0
        with own_folder():
            for run in api.runs(f"{entity}/{project}", filters={"group": group}):
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
    """Read one run, which may hold whatever somebody has sent; the client's own errors are raised.

    A run that has not ended gives no records, so nothing more is asked of it.
    """
    from wandb.apis.public import runs

    fetched = Fetched(run.id, {}, [], {}, [], [])
    try:
        fetched.config.update(run.config)
        fetched.summary.update(json.loads(json.dumps(dict(run.summary), default=dict)))
        if "status" in fetched.summary:
            # The client's cache is keyed by the run's name and may lack newer epochs.
            fetched.history.extend(run.scan_history(use_cache=False))
            with tempfile.TemporaryDirectory() as folder:
                for file in run.files():
                    if FILES.fullmatch(file.name):  # any other name may lead anywhere
                        file.download(root=folder, exist_ok=True)
                add_files(fetched, Path(folder))
    except Exception as error:
        # The client wraps some, and takes an empty answer of the server for a run that is gone.
        gone = isinstance(error, getattr(runs, "RunNotFoundError", ()))
        if gone or not isinstance(getattr(error, "exc", error), OF_CONTENT):
            raise
        return fetched._replace(fault=f"{run.id}: {error}")
    return fetched
