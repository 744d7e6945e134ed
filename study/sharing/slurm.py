"""Submits a study as an array of Slurm jobs: the number of tasks, and sbatch's arguments."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import study
from study.base.errors import BadInput
from study.base.files import read_regular, refuse_link, write_whole
from study.base.text import counted
from study.runs.packing import LARGEST_STACK, StackPlan, core_seconds

WORTH_SECONDS = 900.0  # the least training time of a task, which takes 30 s to start
MOST_TASKS = 1_000  # Slurm's usual limit for an array
MEMORY = "--mem-per-cpu=2G"
JOBS = "jobs"  # the file that lists the jobs submitted for a study
FOR_REPORTS = ("-p", "--partition", "-A", "--account", "-q", "--qos", "-M", "--clusters")


def tasks_worth(plans: Sequence[StackPlan], cores: int, gpus: bool) -> int:
    """Return how many tasks are worth starting: on GPUs one a stack, on CPUs by training time.

    Examples
    --------
    >>> from study.runs.run import Run
    >>> tasks_worth([StackPlan([Run(seed=seed) for seed in range(200)], 64)], 2, gpus=True)
    4
    """
    runs = [run for each in plans for run in each.runs]
    if gpus:
        wanted = sum(math.ceil(len(each.runs) / LARGEST_STACK) for each in plans)
    else:
        wanted = min(
            math.ceil(core_seconds(runs) / cores / WORTH_SECONDS), math.ceil(len(runs) / cores)
        )
    return max(1, min(wanted, MOST_TASKS))


def option(words: Sequence[str], names: Sequence[str], default: str) -> str:
    """Return the value of an sbatch option, in any spelling.

    Examples
    --------
    >>> [option(words, ("-c", "--cpus-per-task"), "2") for words in (["-c", "4"], ["-c8"], [])]
    ['4', '8', '2']
    """
    for word, after in itertools.pairwise([*words, ""]):
        for name in names:
            if word == name:
                return after
            if word.startswith(f"{name}=" if name.startswith("--") else name):
                return word.removeprefix(name).removeprefix("=")
    return default


def scripts_folder(given: Path | None) -> Path:
    """Return the folder of sweep.sh and report.sh.

    Raises
    ------
    BadInput
        The scripts are neither in a checkout nor in the installed package.
    """
    package = Path(study.__file__).resolve().parent
    places = [given] if given else [package.parent / "slurm", package / "slurm"]
    for place in places:
        if (place / "sweep.sh").is_file():
            return place.resolve()
    raise BadInput("--scripts", "the folder of sweep.sh and report.sh", str(places[0]))


def array_job(
    name: str, config: str, more: Sequence[str], out: Path, tasks: int, slurm: Sequence[str]
) -> list[str]:
    """Return sbatch's arguments for the array; `sbatch` adds the script's folder.

    Parameters
    ----------
    name
        The study's name.
    config, more
        The study's config, and further options of ``study.fit``.
    out
        The study's folder, an absolute path.
    tasks
        How many tasks the array has.
    slurm
        The user's sbatch options; they come last, so that they override the options set here.
    """
    log = f"{logs(out)}/%x-%A_%a.log"
    own = [f"--array=0-{tasks - 1}", f"--job-name={name}", f"--output={log}", *_memory(slurm)]
    return [*own, *slurm, "sweep.sh", str(Path(config).resolve()), *more, "--out", str(out)]


def report_job(name: str, out: Path, after: str | None, slurm: Sequence[str]) -> list[str]:
    """Return sbatch's arguments for the report; `sbatch` adds the script's folder.

    The report keeps the user's options in `FOR_REPORTS`, and starts after the job ``after``.
    """
    own = [f"--job-name={name}-report", f"--output={logs(out)}/%x-%j.log", *_memory(())]
    if after is not None:
        own.insert(0, f"--dependency=afterany:{after}")
    kept = [
        word
        for before, word in itertools.pairwise(["", *slurm])
        if word.startswith(FOR_REPORTS) or before in FOR_REPORTS
    ]
    return [*own, *kept, "report.sh", str(out)]


def _memory(slurm: Sequence[str]) -> list[str]:
    """Return the memory to ask for; nothing where the user's options ask for memory."""
    asked = any(word.startswith("--mem") for word in slurm)
    return [] if asked else [MEMORY]


def logs(out: Path) -> str:
    """Return the folder of a study's logs as an sbatch pattern, in which ``%`` is doubled."""
    return str(out / "slurm").replace("%", "%%")


def sbatch(words: Sequence[str], scripts: Path, *, dry: bool) -> str:
    """Print the sbatch command, run it unless ``dry``, and return the job's number.

    Raises
    ------
    BadInput
        Slurm is not installed here, does not answer or refuses the job.
    """
    command = ["sbatch", "--parsable", *words]
    at = next(i for i, word in enumerate(command) if word in ("sweep.sh", "report.sh"))
    command[at] = str(scripts / command[at])
    print(shlex.join(command))
    if dry:
        return "JOB"
    environment = {**os.environ, "STUDY_ROOT": str(Path(study.__file__).resolve().parents[1])}
    try:
        done = _called(command, 120, environment)
    except subprocess.TimeoutExpired:
        hint = "see with squeue whether it took the job"
        raise BadInput("sbatch", "an answer of Slurm in two minutes", hint=hint) from None
    except OSError:
        raise BadInput("sbatch", "Slurm's commands", hint="run it on a login node") from None
    if done.returncode:
        raise BadInput("sbatch", "a job that Slurm takes", hint=done.stderr.strip())
    return done.stdout.strip().partition(";")[0]


def _called(
    command: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Call a command of Slurm, which has so many seconds to answer."""
    text: Any = {"capture_output": True, "text": True, "errors": "replace"}
    return subprocess.run(command, env=environment, check=False, timeout=seconds, **text)


@contextlib.contextmanager
def logs_folder(out: Path, *, dry: bool) -> Iterator[None]:
    """Make the folder of a study's logs before its job is submitted; take it back on failure."""
    refuse_link(out / "slurm")
    made = [] if dry else [each for each in (out / "slurm", out) if not each.exists()]
    if made:
        (out / "slurm").mkdir(parents=True)
    try:
        yield
    except BaseException:
        for each in made:
            each.rmdir()
        raise


def queued(folder: Path, jobs: Sequence[str]) -> list[str]:
    """Return the jobs of a study that wait in Slurm's queue, as squeue names them.

    Parameters
    ----------
    folder
        The study's folder, in which `study submit` notes the jobs that it has submitted.
    jobs
        Jobs of which a task is known, e.g. ``17_2_0``; all tasks of their arrays are looked for.
    """
    known = {job.partition("_")[0] for job in jobs}
    with contextlib.suppress(OSError, BadInput):
        known |= set(read_regular(folder / "slurm" / JOBS).decode(errors="replace").split())
    known = {job for job in known if job.isdecimal() and len(job) < 20}
    if not known:
        return []
    command = ["squeue", "--noheader", "--states=PENDING", "--format=%i"]
    try:
        return _called([*command, f"--jobs={','.join(sorted(known))}"], 20).stdout.split()
    except (OSError, subprocess.TimeoutExpired):
        return []


def note_job(folder: Path, job: str) -> None:
    """Note a job that was submitted, for `queued`."""
    path = folder / "slurm" / JOBS
    earlier = read_regular(path) if path.exists() else b""
    write_whole(path, earlier + f"{job}\n".encode())


def decide(plans: Sequence[StackPlan], slurm: Sequence[str], tasks: int | None) -> tuple[int, str]:
    """Return how many tasks a study gets, and a sentence that says so."""
    runs = [run for each in plans for run in each.runs]
    cores = _count(slurm, ("-c", "--cpus-per-task"), "2")
    processes = _count(slurm, ("--ntasks-per-node",), "1")
    gpus = any(word.startswith(("--gpus", "--gres=gpu", "-G")) for word in slurm)
    most = min(len(runs), MOST_TASKS)
    if tasks is not None and not 1 <= tasks <= most:
        wanted = f"a number from 1 to {most}, as {len(runs)} runs are to train"
        raise BadInput("--tasks", wanted, tasks)
    number = tasks or math.ceil(tasks_worth(plans, cores, gpus) / processes)
    told = f"{counted(len(runs), 'run')} to train in {counted(number, 'task')}"
    if processes > 1:
        told += f" of {processes} processes"
    if not gpus:
        minutes = math.ceil(core_seconds(runs) / cores / processes / number / 60)
        told += f" of {cores} cores, about {minutes} min each at most"
    return number, told


def _count(slurm: Sequence[str], names: Sequence[str], default: str) -> int:
    """Return the number that one of sbatch's options gives."""
    asked = option(slurm, names, default)
    if not asked.isdecimal() or int(asked) < 1:
        raise BadInput(f"-- {names[-1]}", "a number of at least 1", asked)
    return int(asked)
