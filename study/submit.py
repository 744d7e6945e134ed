"""``python -m study.submit``: submits a study as a Slurm array, and its report after the array."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from study.base.command import DONE, Parser, run_command
from study.sharing.slurm import scripts_folder


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
    scripts = scripts_folder(known.scripts)
    from study.fitting.submission import submit

    submit(known.config, more, words[split + 1 :], known.tasks, scripts, dry=known.dry_run)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
