"""Trained networks, to read: a weights file and its run's activation give a network."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from study.base.errors import BadInput
from study.base.files import unreadable
from study.records.parquet import each_part, read_part
from study.runs.run import Run

if TYPE_CHECKING:
    from torch import nn


def load_network(folder: str | os.PathLike[str], run_id: str) -> nn.Sequential:
    """Return a trained network as a plain `torch.nn.Sequential` on the CPU.

    Parameters
    ----------
    folder
        A study's folder.
    run_id
        The run's id, as in ``runs``.

    Raises
    ------
    BadInput
        No such weights, a damaged file, or weights of a run that has no record.
    """
    from safetensors import SafetensorError, safe_open

    from study.nn.mlp import sequential

    path = Path(folder) / "weights" / f"{run_id}.safetensors"
    if not path.is_file():
        known = [item.stem for item in path.parent.glob("*.safetensors")]
        expected = f"weights of one of {len(known)} runs in {folder}"
        raise BadInput("run_id", expected, run_id, f"e.g. {known[0]}" if known else "")
    try:
        with safe_open(path, "pt") as file:
            names = sorted(file.keys(), key=lambda name: (int(name.split(".")[0]), name[-1] != "t"))
            tensors = [file.get_tensor(name) for name in names]
            metadata = file.metadata() or {}
    except PermissionError as error:
        raise unreadable(path, error) from None
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise BadInput(str(path), "a whole weights file", str(error)) from None
    # Files of earlier versions name the activation; now equal weights give equal files.
    activation = metadata.get("activation") or _activation(Path(folder), run_id)
    return sequential(tensors, activation)


def _activation(folder: Path, run_id: str) -> str:
    for name in each_part(folder):
        table = read_part(folder / "runs" / f"{name}.parquet", ["run", "facts"])
        for run, facts in zip(*table.to_pydict().values(), strict=True) if table else ():
            if run == run_id:
                return Run.of_record(json.loads(facts)).model.activation
    raise BadInput("run_id", f"a run recorded in {folder}", run_id, "its weights alone are there")
