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
from study.records.live import tasks_of
from study.sharing.slurm import scripts_folder
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
    for name in ("configs", "study", "reports", "slurm"):
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
    assert {task["share"] for task in tasks_of(out)} == {"1/2", "2/2"}
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
    mine = [each for each in tasks_of(out) if each["job"] == f"{job}_{task}_0"]
    runs = [run for each in mine for run in each["runs"]]
    return any(path for run in runs for path in (out / "checkpoints").glob(f"{run}.*"))


def process_of(out: Path, job: str, task: int) -> int:
    return next(t["pid"] for t in tasks_of(out) if t["job"] == f"{job}_{task}_0")


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
    trained_epochs = sum(task["epochs"] for task in tasks_of(out))
    disturbances = sum(task.restarts for task in tasks.values())
    assert trained_epochs <= 4 * EPOCHS + disturbances * CHECKPOINT_EVERY


def test_the_runs_of_a_cancelled_task_are_trained_by_the_other_to_the_same_bits(
    slurm: Slurm, tmp_path: Path
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
    assert "did you mean 'label_noise'?" in said
    (made,) = slurm.wait(report, timeout=120).values()
    assert (made.state, made.status) == ("FAILED", 4)
    told = (tmp_path / "report.log").read_text()
    assert "2 of 4 runs done" in told
    assert "label_noise 1: seeds 1\n" in told
    assert (out / "report" / "index.html").is_file()


def test_without_a_config_the_shipped_one_is_trained_and_its_logs_are_in_the_study_s_folder(
    slurm: Slurm, tmp_path: Path
) -> None:
    # Quick settings stand for the config's own, which take minutes.
    activate = "set -- random --data.dataset digits --trainer.max_epochs 2 --seeds 2"
    job = slurm.sbatch(
        *("--array=0-1", "--cpus-per-task=1", "--mem=500M", SCRIPTS / "sweep.sh"),
        cwd=tmp_path,
        env={**QUICK, "STUDY_ROOT": str(SCRIPTS.parent), "STUDY_ACTIVATE": activate},
    )
    assert {task.state for task in slurm.wait(job, timeout=180).values()} == {"COMPLETED"}
    out = tmp_path / "results" / "random"
    assert status([str(out)]) == 0
    logs = sorted(path.name for path in (out / "slurm").iterdir())
    assert logs == [f"study-{job}_0.log", f"study-{job}_1.log"]
    assert "random: 4 runs" in (out / "slurm" / logs[0]).read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_what_is_wrong_with_a_config_is_in_the_log_that_slurm_opened(
    slurm: Slurm, tmp_path: Path
) -> None:
    env = {**QUICK, "STUDY_ROOT": str(SCRIPTS.parent)}
    job = slurm.sbatch("--array=0", SCRIPTS / "sweep.sh", "nowhere.yaml", cwd=tmp_path, env=env)
    (task,) = slurm.wait(job).values()
    assert (task.state, task.status) == ("FAILED", 2)
    assert "expected a config file" in (tmp_path / f"study-{job}_0.log").read_text()


def test_in_an_array_of_two_with_one_held_the_other_trains_everything(
    slurm: Slurm,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SLURM_CONF", slurm.environment["SLURM_CONF"])  # for squeue
    where, out, pace = config(tmp_path, 6), tmp_path / "out", tmp_path / "pace"
    where.write_text(paced(where.read_text(), EPOCHS, pace, BREAK_SECONDS))
    job = sweep(slurm, where, out, "0-1%1")
    wait_for(lambda: trained(out, job, 0))
    slurm.command("scontrol", "hold", f"{job}_1")
    assert status([str(out)]) == 3
    assert f"waiting in Slurm's queue: {job}_" in capsys.readouterr().out
    pace.unlink()
    wait_for(lambda: slurm.tasks(job)[f"{job}_0"].state == "COMPLETED")
    slurm.cancel(job)
    assert status([str(out)]) == 0
    same_bits(local(where, tmp_path), out)


def test_srun_s_processes_share_a_task_s_runs(slurm: Slurm, tmp_path: Path) -> None:
    where, out = config(tmp_path, 6), tmp_path / "out"
    job = slurm.sbatch(
        *("--array=0-1", "--ntasks=2", "--cpus-per-task=1", f"--output={tmp_path}/%A_%a.log"),
        *(SCRIPTS / "sweep.sh", where, "--out", out),
        cwd=SCRIPTS.parent,
        env=QUICK,
    )
    assert {task.state for task in slurm.wait(job, timeout=180).values()} == {"COMPLETED"}
    assert {task["share"] for task in tasks_of(out)} == {f"{k}/4" for k in range(1, 5)}
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
