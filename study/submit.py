"""``python -m study.submit``: a study as an array of Slurm jobs, and its report after them."""

from __future__ import annotations

import argparse
import itertools
import math
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from study.base.errors import BadInput
from study.runs.packing import LARGEST_STACK, StackPlan, steps
from study.runs.run import Run

DONE, FAILED, BAD_INPUT = 0, 1, 2
# What a core does of a run's 6 flops a parameter and example: 784-256-10, Zen 4, all included.
FLOPS_A_SECOND = 5e10
WORTH_SECONDS = 900.0  # a task should train at least so long, as it takes half a minute to start
MOST_TASKS = 1_000  # of a usual array
FOR_REPORTS = ("-p", "--partition", "-A", "--account", "-q", "--qos", "-M", "--clusters")


def core_seconds(runs: Sequence[Run]) -> float:
    """Return how long one core may train some runs, should none fit before its last epoch."""
    flops = sum(
        6.0 * run.parameters * run.data.batch_size * steps(run) * run.trainer.max_epochs
        for run in runs
    )
    return flops / FLOPS_A_SECOND


def tasks_worth(plans: Sequence[StackPlan], cores: int, gpus: bool) -> int:
    """Return how many tasks are worth their start: on GPUs one a stack, on CPUs by their time.

    Examples
    --------
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
    """Return the value of one of sbatch's options, in any of its spellings.

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
    """Return where sweep.sh and report.sh are.

    Raises
    ------
    BadInput
        Neither in a checkout nor in the installed package.
    """
    package = Path(__file__).resolve().parent
    places = [given] if given else [package.parent / "slurm", package / "slurm"]
    for place in places:
        if (place / "sweep.sh").is_file():
            return place.resolve()
    raise BadInput("--scripts", "the folder of sweep.sh and report.sh", str(places[0]))


def array_job(
    name: str, config: str, more: Sequence[str], out: Path, tasks: int, slurm: Sequence[str]
) -> list[str]:
    """Return sbatch's words for the array, but for its script's folder.

    Parameters
    ----------
    name
        The study's name.
    config, more
        Its config, and further options of ``study.fit``.
    out
        Its folder, as a whole path.
    tasks
        How many tasks the array has.
    slurm
        Options of the user's, which come last and so are those that count.
    """
    log = f"{logs(out)}/%x-%A_%a.log"
    own = [f"--array=0-{tasks - 1}", f"--job-name={name}", f"--output={log}"]
    return [*own, *slurm, "sweep.sh", str(Path(config).resolve()), *more, "--out", str(out)]


def report_job(name: str, out: Path, after: str | None, slurm: Sequence[str]) -> list[str]:
    """Return sbatch's words for the report, but for its script's folder.

    Of the user's options those that say where and for whom; ``after`` is the array's number.
    """
    own = [f"--job-name={name}-report", f"--output={logs(out)}/%x-%j.log"]
    if after is not None:
        own.insert(0, f"--dependency=afterany:{after}")
    kept = [
        word
        for before, word in itertools.pairwise(["", *slurm])
        if word.startswith(FOR_REPORTS) or before in FOR_REPORTS
    ]
    return [*own, *kept, "report.sh", str(out)]


def logs(out: Path) -> str:
    """Return the folder of a study's logs, as a pattern of sbatch's."""
    return str(out / "slurm").replace("%", "%%")


def sbatch(words: Sequence[str], scripts: Path, *, dry: bool) -> str:
    """Submit a job and return its number; only show how when ``dry``.

    Raises
    ------
    BadInput
        No Slurm here, or a job it does not take.
    """
    command = ["sbatch", "--parsable", *words]
    at = next(i for i, word in enumerate(command) if word in ("sweep.sh", "report.sh"))
    command[at] = str(scripts / command[at])
    print(shlex.join(command))
    if dry:
        return "JOB"
    environment = {**os.environ, "STUDY_ROOT": str(Path(__file__).resolve().parents[1])}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
    except subprocess.TimeoutExpired:
        hint = "see with squeue whether it took the job"
        raise BadInput("sbatch", "an answer of Slurm in two minutes", hint=hint) from None
    except OSError:
        raise BadInput("sbatch", "Slurm's commands", hint="run it on a login node") from None
    if done.returncode:
        raise BadInput("sbatch", "a job that Slurm takes", hint=done.stderr.strip())
    return done.stdout.strip().partition(";")[0]


def submit(
    config: str,
    more: Sequence[str],
    slurm: Sequence[str],
    tasks: int | None,
    scripts: Path,
    *,
    dry: bool,
) -> None:
    """Submit a study's array and its report, and say how to watch them."""
    from study.records.writing import Folder
    from study.runs.command_line import read
    from study.runs.config import find, study_yaml
    from study.runs.packing import plan

    config = str(find(config))
    request = read(["--config", config, *more])
    study, out = request.study, request.out.resolve()
    folder = Folder(out, study.name)
    ended = folder.ended()
    study.check_outside()
    for each in request.replaced:
        print(each)
    plans = plan(study, [run for run in study.runs if run.id not in ended])
    if not dry:
        folder.begin(study_yaml(study))
        (out / "slurm").mkdir(exist_ok=True)
    job = None
    if plans:
        number, told = decide(plans, slurm, tasks)
        print(f"{study.name}: {told}")
        job = sbatch(array_job(study.name, config, more, out, number, slurm), scripts, dry=dry)
    else:
        print(f"{study.name}: all {len(study.runs)} runs are recorded already; the report only")
    try:
        report = sbatch(report_job(study.name, out, job, slurm), scripts, dry=dry)
    except BadInput:
        if job is not None:
            print(f"job: {job}, without a report; logs: {out / 'slurm'}")
        raise
    print(f"jobs: {', '.join(filter(None, [job, report]))}; logs: {out / 'slurm'}")
    print(f"watch: {shlex.join(['python', '-m', 'study.status', str(out), '--watch'])}")
    print(f"report: {out / 'report' / 'index.html'}")


def decide(plans: Sequence[StackPlan], slurm: Sequence[str], tasks: int | None) -> tuple[int, str]:
    """Return how many tasks a study is to have, and that in words."""
    runs = [run for each in plans for run in each.runs]
    asked = option(slurm, ("-c", "--cpus-per-task"), "2")
    if not asked.isdecimal() or int(asked) < 1:
        raise BadInput("-- --cpus-per-task", "a number of at least 1", asked)
    cores = int(asked)
    gpus = any(word.startswith(("--gpus", "--gres=gpu", "-G")) for word in slurm)
    number = tasks or tasks_worth(plans, cores, gpus)
    told = f"{len(runs)} runs to train in {number} task{'s' * (number > 1)}"
    if not gpus:
        minutes = math.ceil(core_seconds(runs) / cores / number / 60)
        told += f" of {cores} cores, about {minutes} min each at most"
    return number, told


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 submitted, 2 bad input, also Slurm's."""
    words = list(sys.argv[1:] if argv is None else argv)
    split = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(
        prog="python -m study.submit",
        description="Submit a study to Slurm, and its report for when all is done. Further options "
        "are study.fit's; those after -- are sbatch's, e.g. -- -p gpu --gpus-per-task=1.",
        allow_abbrev=False,
    )
    parser.add_argument("config", help="the study's config")
    parser.add_argument("--tasks", type=int, help="how many (default: as many as are worth it)")
    parser.add_argument("--scripts", type=Path, help="folder of sweep.sh and report.sh")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be submitted")
    known, more = parser.parse_known_args(words[:split])
    try:
        if known.tasks is not None and known.tasks < 1:
            raise BadInput("--tasks", "a number of at least 1", known.tasks)
        scripts = scripts_folder(known.scripts)
        submit(known.config, more, words[split + 1 :], known.tasks, scripts, dry=known.dry_run)
    except BadInput as fault:
        print(f"study.submit: {fault}", file=sys.stderr)
        return BAD_INPUT
    except OSError as error:
        print(f"study.submit: {error}", file=sys.stderr)
        return FAILED
    return DONE


if __name__ == "__main__":
    sys.exit(main())
