"""Submits a study to Slurm: checks it as `study fit` does, then queues its array and its report."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from study.base.errors import BadInput
from study.fitting.before import check_data, work_of
from study.runs.command_line import read
from study.runs.config import find, study_yaml
from study.runs.shards import Shard
from study.sharing.slurm import array_job, decide, logs_folder, note_job, report_job, sbatch

NOT_HERE = ("--plan", "--shard", "--print_config", "--wait")


def submit(
    config: str,
    more: Sequence[str],
    slurm: Sequence[str],
    tasks: int | None,
    scripts: Path,
    *,
    dry: bool,
) -> None:
    """Submit a study's array and its report, and print how to watch them."""
    for word in more:
        if word.partition("=")[0] in NOT_HERE:
            hint = "give it to study.fit; the array's tasks share the runs by themselves"
            raise BadInput(word, "options that train", hint=hint)
    for word in slurm:
        if word.startswith(("--array", "-a")):
            raise BadInput(f"-- {word}", "options of sbatch without an array", hint="give --tasks")
    if tasks is not None and tasks < 1:
        raise BadInput("--tasks", "a number of at least 1", tasks)
    config = str(find(config))
    request = read(["--config", config, *more])
    study, out = request.study, request.out.resolve()
    work = work_of(request._replace(out=out, shard=Shard()))
    check_data(work)
    for each in request.replaced:
        print(each)
    job = None
    if work.plans:
        number, told = decide(work.plans, slurm, tasks)
        print(f"{study.name}: {told}")
        words = array_job(study.name, config, more, out, number, slurm)
        with logs_folder(out, dry=dry):
            job = sbatch(words, scripts, dry=dry)
        if not dry:
            work.folder.begin(study_yaml(study))
            note_job(out, job)
    else:
        print(f"{study.name}: all {len(study.runs)} runs are recorded already; the report only")
    try:
        with logs_folder(out, dry=dry):
            report = sbatch(report_job(study.name, out, job, slurm), scripts, dry=dry)
    except BadInput:
        if job is not None:
            print(f"job: {job}, without a report; logs: {out / 'slurm'}")
        raise
    print(f"jobs: {', '.join(filter(None, [job, report]))}; logs: {out / 'slurm'}")
    print(f"watch: {shlex.join(['python', '-m', 'study.status', str(out), '--watch'])}")
    print(f"report: {out / 'report' / 'index.html'}")
