"""Slurm's tasks on a node with several GPUs: slurm/sweep.sh gives each process one of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from slurm_here import GPUS, Slurm

from study.sharing.slurm import scripts_folder

pytestmark = pytest.mark.slow
SCRIPTS = scripts_folder(None)

# Stands for ``python -m study.fit``, where torch would see what Slurm shows and no driver does.
PROBE = """
import json, os, sys, types
shown = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
count = types.SimpleNamespace(device_count=lambda: len(shown))
sys.modules["torch"] = types.SimpleNamespace(cuda=count)
from study.training.devices import own_devices
(device,) = own_devices()
print(json.dumps([os.environ["SLURM_PROCID"], shown[device], sys.argv[1:]]))
"""


def test_each_process_of_a_node_takes_its_own_gpu(slurm: Slurm, tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(PROBE)
    shim = tmp_path / "bin" / "python"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/probe.py" "$@"\n')
    shim.chmod(0o755)
    numbers = [str(number) for number in range(GPUS)]
    asked = {
        # Slurm shows each task its own GPU alone; a single task asks in the same way.
        ("--gpus-per-task=1", f"--ntasks-per-node={GPUS}"): numbers,
        ("--gpus-per-task=1",): ["0"],
        # Slurm shows each task all of the node's.
        (f"--gpus-per-node={GPUS}", f"--ntasks-per-node={GPUS}"): numbers,
        (f"--gpus-per-node={GPUS}", "--ntasks-per-node=2"): ["0", "1"],
    }
    logs = {}
    for at, options in enumerate(asked):
        log = tmp_path / f"{at}.log"
        job = slurm.sbatch(
            *("--array=0", "--cpus-per-task=1", f"--output={log}", *options),
            *(SCRIPTS / "sweep.sh", "configs/random.yaml"),
            cwd=SCRIPTS.parent,
            env={"STUDY_ACTIVATE": f'PATH="{shim.parent}:$PATH"'},
        )
        logs[options] = (job, log)
    for options, (job, log) in logs.items():
        tasks = slurm.wait(job, timeout=60)
        assert {task.state for task in tasks.values()} == {"COMPLETED"}, log.read_text()
        said = sorted(json.loads(line) for line in log.read_text().splitlines())
        assert [device for _, device, _ in said] == asked[options]
        assert said[0][2] == ["-m", "study.fit", "--config", "configs/random.yaml"]
