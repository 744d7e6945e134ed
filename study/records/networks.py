"""Trained networks, to read: a weights file and its run's activation give a network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from study.base.errors import BadInput
from study.base.files import files_in, open_regular, unreadable
from study.base.names import ACTIVATION, FILE, refuse_untrusted
from study.records.facts import run_of
from study.records.parquet import each_part, read_part

if TYPE_CHECKING:
    from torch import nn

MOST_BYTES = 2**34


def load_network(
    folder: str | os.PathLike[str], run_id: str, *, trust: bool = False
) -> nn.Sequential:
    """Return a trained network as a plain `torch.nn.Sequential` on the CPU.

    Parameters
    ----------
    folder
        A study's folder.
    run_id
        The run's id, as in ``runs``.
    trust
        Whether to import the activation that the run names, if it is none of this package's.

    Raises
    ------
    BadInput
        No such weights, a damaged file, weights of a run that has no record, or an activation
        from outside without ``trust``.
    """
    from safetensors import SafetensorError, safe_open

    from study.nn.mlp import sequential

    path = Path(folder) / "weights" / f"{run_id}.safetensors"
    if not FILE.fullmatch(run_id) or not (path.is_file() or path.is_symlink()):
        known = [item.stem for item in files_in(Path(folder) / "weights", "*.safetensors")]
        expected = f"weights of one of {len(known)} runs in {folder}"
        raise BadInput("run_id", expected, run_id, f"e.g. {known[0]}" if known else "")
    try:
        open_regular(path, MOST_BYTES).close()  # safe_open would wait for a FIFO
        with safe_open(path, "pt") as file:
            names = sorted(file.keys(), key=lambda name: (int(name.split(".")[0]), name[-1] != "t"))
            tensors = [file.get_tensor(name) for name in names]
            metadata = file.metadata() or {}
    except PermissionError as error:
        raise unreadable(path, error) from None
    except BadInput:
        raise
    except (SafetensorError, OSError, LookupError, ValueError) as error:
        raise BadInput(str(path), "a whole weights file", str(error)) from None
    # Files of earlier versions name the activation; now equal weights give equal files.
    activation = metadata.get("activation") or _activation(Path(folder), run_id)
    if not trust and ACTIVATION.needs_trust(ACTIVATION.check(activation, str(path))):
        refuse_untrusted([activation], str(path))
    try:
        return sequential(tensors, activation)
    except (LookupError, RuntimeError, TypeError) as error:
        raise BadInput(str(path), "weights and biases of a network", str(error)) from None


def _activation(folder: Path, run_id: str) -> str:
    for name in each_part(folder):  # its row says it, whether or not its history is whole
        table = read_part(folder / "runs" / f"{name}.parquet", ["run", "facts"])
        for row in table.to_pylist() if table is not None else ():
            if row["run"] == run_id:
                return run_of(row, str(folder)).model.activation
    raise BadInput("run_id", f"a run recorded in {folder}", run_id, "its weights alone are there")
