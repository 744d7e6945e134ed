"""A study on a real Slurm leaves what one machine leaves, whatever happens to its tasks."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fit_cases import compare
from helpers import SMALL
from paced import paced
from slurm_here import Slurm

from study.fit import main as fit
from study.sharing.slurm import scripts_folder
from study.sharing.tasks import tasks_of
from study.status import main as status

pytestmark = pytest.mark.slow
SCRIPTS = scripts_folder(None)
QUICK = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
QUICK["PYTHONPATH"] = str(Path(paced.__code__.co_filename).parent)
CHECKPOINT_EVERY = 2  # as in SMALL
EPOCHS = 75  # with a break before each: no task is through before all have begun
BREAK_SECONDS = 0.6


def config(folder: Path, epochs: int) -> Path:
    path = folder / "small.yaml"
    path.write_text(SMALL.replace("max_epochs: 6", f"max_epochs: {epochs}"))
    return path


def local(config: Path, tmp_path: Path) -> Path:
    assert fit(["--config", str(config), "--out", str(tmp_path / "local")]) == 0
    return tmp_path / "local"


def same_bits(ours: Path, theirs: Path) -> None:
    """Compare all but the environment, which says how many threads and which checkout it was."""
    compare(ours, theirs, "environment")


def test_an_array_from_a_checkout_that_is_only_read_equals_one_machine_and_is_reported(
    slurm: Slurm, tmp_path: Path
) -> None:
    checkout, out = tmp_path / "read only checkout", tmp_path / "out put"
    for name in ("study", "reports", "slurm"):
        shutil.copytree(SCRIPTS.parent / name, checkout / name)
    before = {path: path.stat().st_mtime_ns for path in checkout.rglob("*")}
    activate = f"export PATH='{Path(sys.executable).parent}':$PATH STUDY_WAS_ACTIVATED=yes"
    where = config(tmp_path, 6)
    said = slurm.command(
        *(checkout / "slurm" / "submit.sh", where, "--out", out, "--tasks", "2"),
        env={**QUICK, "STUDY_ACTIVATE": activate},
        cwd=tmp_path,
    )
    array, report = next(
        line.partition(":")[2].partition(";")[0].split(",")
        for line in said.splitlines()
        if line.startswith("jobs:")
    )
    tasks = slurm.wait(array.strip(), timeout=180)
    logs = "\n".join(path.read_text() for path in (out / "slurm").iterdir())
    assert {task.state for task in tasks.values()} == {"COMPLETED"}, logs
    assert len(tasks) == 2
    (made,) = slurm.wait(report.strip(), timeout=120).values()
    assert made.state == "COMPLETED"
    assert (out / "report" / "index.html").is_file()
    assert "4 of 4 runs done" in (out / "slurm" / f"small-report-{report.strip()}.log").read_text()
    same_bits(local(where, tmp_path), out)
    assert {task["share"] for task in tasks_of(out).values()} == {"1/2", "2/2"}
    assert {path: path.stat().st_mtime_ns for path in checkout.rglob("*")} == before
    assert status([str(out)]) == 0


def sweep(slurm: Slurm, where: Path, out: Path, array: str) -> str:
    """Submit the array as its user would without submit.sh."""
    return slurm.sbatch(
        *(f"--array={array}", "--cpus-per-task=1", f"--output={out.parent}/%A_%a.log"),
        *(SCRIPTS / "sweep.sh", where, "--out", out),
        cwd=SCRIPTS.parent,
        env=QUICK,
    )


def wait_for(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def trained(out: Path, job: str, task: int) -> bool:
    """Tell whether a task has saved a state."""
    names = [name for name, each in tasks_of(out).items() if each["job"] == f"{job}_{task}_0"]
    return any(path for name in names for path in (out / "checkpoints").glob(f"{name}-*"))


def process_of(out: Path, job: str, task: int) -> int:
    return next(t["pid"] for t in tasks_of(out).values() if t["job"] == f"{job}_{task}_0")


def test_killed_requeued_stopped_by_the_time_limit_and_by_a_failing_node_is_the_same_to_the_bit(
    slurm: Slurm, tmp_path: Path
) -> None:
    where, out, pace = config(tmp_path, 6), tmp_path / "out", tmp_path / "pace"
    where.write_text(paced(where.read_text(), EPOCHS, pace, BREAK_SECONDS))
    job = sweep(slurm, where, out, "0-3")
    for number in range(4):
        wait_for(lambda number=number: trained(out, job, number))  # type: ignore[misc]
    os.kill(process_of(out, job, 0), signal.SIGKILL)
    slurm.command("scontrol", "requeue", f"{job}_1")
    # What Slurm sends some time before the limit, to what srun has started.
    slurm.cancel("--signal=USR1", f"{job}_2")
    wait_for(lambda: slurm.tasks(job)[f"{job}_2"].restarts == 1)
    node = slurm.tasks(job)[f"{job}_3"].node
    slurm.down(node)
    pace.unlink()
    try:
        for number in range(4):
            slurm.hurry(f"{job}_{number}")
        tasks = slurm.wait(job, timeout=240)
    finally:
        slurm.resume(node)
    logs = "\n".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert {task.state for task in tasks.values()} == {"COMPLETED"}, logs
    assert all(task.restarts >= 1 for task in tasks.values())
    assert "ended with status 137; requeued, restart 1" in logs
    assert "ended with status 130; requeued, restart 1" in logs
    same_bits(local(where, tmp_path), out)
    trained_epochs = sum(task["epochs"] for task in tasks_of(out).values())
    disturbances = sum(task.restarts for task in tasks.values())
    # A task that was killed wrote down fewer epochs than it had trained, at most a beat's.
    assert trained_epochs <= 4 * EPOCHS + disturbances * CHECKPOINT_EVERY


def test_a_cancelled_task_is_gone_on_with_by_the_same_command(
    slurm: Slurm, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where, out, pace = config(tmp_path, 6), tmp_path / "out", tmp_path / "pace"
    where.write_text(paced(where.read_text(), EPOCHS, pace, BREAK_SECONDS))
    job = sweep(slurm, where, out, "0-1")
    for number in range(2):
        wait_for(lambda number=number: trained(out, job, number))  # type: ignore[misc]
    slurm.cancel(f"{job}_1")
    pace.unlink()
    tasks = slurm.wait(job, timeout=120)
    assert sorted(task.state for task in tasks.values()) == ["CANCELLED", "COMPLETED"]
    assert status([str(out)]) == 4
    again = sweep(slurm, where, out, "1")
    assert {task.state for task in slurm.wait(again, timeout=120).values()} == {"COMPLETED"}
    assert status([str(out)]) == 0
    same_bits(local(where, tmp_path), out)


def test_a_failing_config_fails_the_job_and_the_report_names_what_is_missing(
    slurm: Slurm, tmp_path: Path
) -> None:
    where, out = config(tmp_path, 6), tmp_path / "out"
    assert fit(["--config", str(where), "--out", str(out), "--shard", "1/2"]) == 0
    where.write_text(where.read_text().replace("label_noise", "lable_noise"))
    job = sweep(slurm, where, out, "0-0")
    report = slurm.sbatch(
        *(f"--dependency=afterany:{job}", f"--output={tmp_path}/report.log"),
        *(SCRIPTS / "report.sh", out),
        cwd=SCRIPTS.parent,
    )
    (task,) = slurm.wait(job, timeout=60).values()
    assert (task.state, task.status, task.restarts) == ("FAILED", 2, 0)
    said = (tmp_path / f"{job}_0.log").read_text()
    assert "study.fit: vary.data.lable_noise: expected" in said
    assert "did you mean 'data.label_noise'?" in said
    (made,) = slurm.wait(report, timeout=120).values()
    assert (made.state, made.status) == ("FAILED", 4)
    told = (tmp_path / "report.log").read_text()
    assert "2 of 4 runs done" in told
    assert "label_noise 1: seeds 1\n" in told
    assert (out / "report" / "index.html").is_file()


def test_without_a_config_the_job_says_how_it_is_used(slurm: Slurm, tmp_path: Path) -> None:
    job = slurm.sbatch("--array=0", f"--output={tmp_path}/log", SCRIPTS / "sweep.sh", cwd=tmp_path)
    (task,) = slurm.wait(job).values()
    assert (task.state, task.status) == ("FAILED", 2)
    assert "usage: sbatch" in (tmp_path / "log").read_text()


def test_srun_s_processes_share_a_task_s_runs(slurm: Slurm, tmp_path: Path) -> None:
    where, out = config(tmp_path, 6), tmp_path / "out"
    job = slurm.sbatch(
        *("--array=0-1", "--ntasks=2", "--cpus-per-task=1", f"--output={tmp_path}/%A_%a.log"),
        *(SCRIPTS / "sweep.sh", where, "--out", out),
        cwd=SCRIPTS.parent,
        env=QUICK,
    )
    assert {task.state for task in slurm.wait(job, timeout=180).values()} == {"COMPLETED"}
    assert {task["share"] for task in tasks_of(out).values()} == {f"{k}/4" for k in range(1, 5)}
    same_bits(local(where, tmp_path), out)


def test_the_default_array_needs_nothing_but_a_config(slurm: Slurm, tmp_path: Path) -> None:
    done = subprocess.run(
        ["sbatch", "--test-only", str(SCRIPTS / "sweep.sh"), "configs/random.yaml"],
        env=slurm.environment,
        cwd=SCRIPTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
