"""``python -m reports.remake``: trains what the shipped claims need, and makes the example report.

Each config that a claim names has the seeds that the claim's family needs, and
what is recorded already is not trained again.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from reports.claims import load_claims
from study.base.command import DONE, Parser, run_command

COMMAND = "python -m reports.remake --out reports/example"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when the report is written, else the status of the command that failed."""
    return run_command(_remake, argv, "reports.remake")


def _remake(argv: Sequence[str]) -> int:
    about = "Train every config of the shipped claims, as far as it is not, and make their report."
    more = "other arguments are given to every training, e.g. --seeds 2 --trainer.max_epochs 1"
    parser = Parser(prog="python -m reports.remake", description=about, epilog=more)
    parser.add_argument("--out", type=Path, default=Path("reports/example"), help="the report")
    parser.add_argument("--results", type=Path, default=Path("results"), help="the studies")
    arguments, more_of_fit = parser.parse_known_args(argv)
    commands = [
        ["study.fit", "--config", name, "--out", str(arguments.results / name), *more_of_fit]
        for name in configs()
    ]
    folders = [str(arguments.results / name) for name in configs()]
    for command in [*commands, ["reports", *folders, "--out", str(arguments.out)]]:
        print(f"python -m {shlex.join(command)}", flush=True)
        words = [sys.executable, "-m", *command]
        status = subprocess.run(words, check=False).returncode  # noqa: S603  # own commands
        if status != DONE:
            return status
    return DONE


def configs() -> list[str]:
    """Return the names of the configs that the shipped claims name, each once."""
    named = (Path(claim.config).stem for claim in load_claims() if claim.config)
    return list(dict.fromkeys(named))


if __name__ == "__main__":
    sys.exit(main())
