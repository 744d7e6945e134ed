"""Write the records that W&B runs hold into a study's folder, which `reports` reads."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from study.checks import BadInput
from study.config_files import load_yaml
from study.folder import Folder
from study.wandb.content import Fetched, history_rows, run_row


def restore(fetched: Iterable[Fetched], out: Path | None) -> tuple[Path, int, list[str]]:
    """Write runs' records.

    Parameters
    ----------
    fetched
        Runs as W&B gives them back.
    out
        The folder; None is results/<name>-wandb.

    Returns
    -------
    out
        The folder.
    number
        Of runs written.
    left_out
        A line for each that was not.

    Raises
    ------
    BadInput
        No run that ended, or a folder that is something else's.
    """
    folder: Folder | None = None
    there: set[str] = set()
    begun, number, left_out = "", 0, []
    for each in fetched:
        if "status" not in each.summary:
            left_out.append(f"{each.id}: has not ended")
            continue
        config = each.config.get("record", {}).get("study", "")
        try:
            name = load_yaml(config)["name"]
        except (KeyError, TypeError):
            left_out.append(f"{each.id}: no run of a study")
            continue
        if folder is None:
            out = out or Path("results") / f"{name}-wandb"
            folder = Folder(out, name)
            there = folder.ended()
        if config != begun:
            folder.begin(config)
            begun = config
        if (run := each.config.get("run")) in there:
            left_out.append(f"{each.id}: a run of {run}, which another gave")
        else:
            there.add(write(folder, each))
            number += 1
    if folder is None or out is None:
        raise BadInput("W&B", "a run of a study that has ended", "; ".join(left_out) or "none")
    folder.merge()
    return out, number, left_out


def write(folder: Folder, fetched: Fetched) -> str:
    """Write one run's records and return its id."""
    environment = folder.write_environment(json.loads(fetched.config["record"]["environment"]))
    row = run_row(fetched.config, fetched.summary, environment)
    for image in fetched.images:
        folder.write_images(np.load(io.BytesIO(image), allow_pickle=False))
    history = history_rows(row["run"], fetched.history)
    folder.write_part([row], history, fetched.predictions)
    return str(row["run"])
