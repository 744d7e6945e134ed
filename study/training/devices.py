"""Which device of a node a process trains on: with several GPUs, each process takes its own."""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch


def own_devices(
    accelerator: str = "auto", environment: Mapping[str, str] = os.environ
) -> list[int] | int:
    """Return Lightning's ``devices`` for this process: the number of one GPU, or one of any kind.

    Slurm shows a task its own GPU alone (``--gpus-per-task=1``), which is then number 0, or all
    GPUs of the node (``--gpus-per-node=4``). Among all, task k of the node takes GPU k modulo their
    number.

    Examples
    --------
    >>> own_devices("cpu", {"SLURM_LOCALID": "1"})
    1
    """
    # Counts what CUDA_VISIBLE_DEVICES leaves visible, and does not start CUDA.
    visible = 0 if accelerator == "cpu" else torch.cuda.device_count()
    if not visible:
        return 1
    local = environment.get("SLURM_LOCALID", "0")
    return [int(local) % visible if local.isdecimal() else 0]
