"""``python -m study.submit``: submits a study as a Slurm array, and its report after the array."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from study.base.command import DONE, Parser, run_command
from study.base.errors import BadInput
from study.sharing.slurm import array_job, decide, report_job, sbatch, scripts_folder


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
    from study.records.measured import resolved
    from study.records.writing import Folder
    from study.runs.command_line import read
    from study.runs.config import find, study_yaml
    from study.runs.packing import plan

    config = str(find(config))
    request = read(["--config", config, *more])
    study, out = request.study, request.out.resolve()
    folder = Folder(out, study.name)
    study.check_outside()
    done = folder.done(resolved(study.measures))
    for each in request.replaced:
        print(each)
    plans = plan(study, [run for run in study.runs if run.id not in done])
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 submitted, 2 bad input or refused by Slurm."""
    return run_command(_main, argv, "study.submit")


def _main(argv: Sequence[str]) -> int:
    words = list(argv)
    split = words.index("--") if "--" in words else len(words)
    parser = Parser(
        prog="python -m study.submit",
        description="Submit a study to Slurm, and its report to run after it. Further options go "
        "to study.fit; options after -- go to sbatch, e.g. -- -p gpu --gpus-per-task=1.",
    )
    parser.add_argument("config", help="the study's config")
    parser.add_argument("--tasks", type=int, help="number of tasks (default: chosen from the work)")
    parser.add_argument("--scripts", type=Path, help="folder of sweep.sh and report.sh")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be submitted")
    known, more = parser.parse_known_args(words[:split])
    if known.tasks is not None and known.tasks < 1:
        raise BadInput("--tasks", "a number of at least 1", known.tasks)
    scripts = scripts_folder(known.scripts)
    submit(known.config, more, words[split + 1 :], known.tasks, scripts, dry=known.dry_run)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
