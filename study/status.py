"""``python -m study.status FOLDER``: which runs are done, training, waiting or lost, by task."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.live import Live

from study.base.command import DONE, FAILED, Parser, run_command
from study.fitting.standing import look
from study.sharing.exclusion import exclude_each_other
from study.terminal.console import console as make_console
from study.terminal.study_status import STILL_TRAINING, shown

SECONDS_BETWEEN_LOOKS = 5.0
EXCLUDED = "locks exclude each other here: no run is trained twice"
NOT_EXCLUDED = "locks do NOT exclude each other here: the last runs of a study may be trained twice"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    0 all runs are done, 3 a task still trains, 4 runs are left and no task trains, 2 bad input.
    """
    return run_command(_main, argv, "study.status")


def _main(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="python -m study.status",
        description="Say which runs are done, training, waiting or lost, and what each task does. "
        "Exit status: 0 all done, 3 still training, 4 runs left and no task trains, 2 bad input.",
    )
    parser.add_argument("folder", type=Path, help="a study's folder")
    parser.add_argument(
        "--watch", action="store_true", help="update every 5 s until no task trains any more"
    )
    parser.add_argument(
        "--test-locks",
        action="store_true",
        help="started on two machines: say whether locks in the folder exclude each other",
    )
    arguments = parser.parse_args(argv)
    folder, console = arguments.folder, make_console()
    if arguments.test_locks:
        excluded = exclude_each_other(folder, console.print)
        console.print(EXCLUDED if excluded else NOT_EXCLUDED)
        return DONE if excluded else FAILED
    status = look(folder)
    if not arguments.watch:
        console.print(shown(status))
        return status.exit_status
    with Live(shown(status), console=console, auto_refresh=False) as live:
        # Before any task has begun, a job may still wait in Slurm's queue.
        while status.exit_status == STILL_TRAINING or status.unbegun:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            status = look(folder)
            live.update(shown(status), refresh=True)
    return status.exit_status


if __name__ == "__main__":
    sys.exit(main())
