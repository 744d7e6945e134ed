"""``python -m study.remove FOLDER --where KEY=VALUE``: takes runs out of a study's records."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from study.base.command import DONE, Parser, run_command
from study.base.errors import BadInput
from study.base.text import counted
from study.fitting.standing import check_idle
from study.records.kept import check_whole
from study.records.removing import removable, remove
from study.runs.choosing import WHERE, add_options, chosen
from study.sharing.locks import Locks


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when the runs are removed or the user says no, 2 on bad input."""
    return run_command(_main, argv, "study.remove")


def _main(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="python -m study.remove",
        description="Take runs out of a study: of all tables, with their weights, checkpoints and "
        "images that no other run refers to. study.yaml stays: study fit trains its runs again.",
    )
    parser.add_argument("folder", type=Path, help="a study's folder")
    add_options(parser)
    parser.add_argument("--dry-run", action="store_true", help="say which, and remove nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    arguments = parser.parse_args(argv)
    folder = arguments.folder
    if not arguments.where and not arguments.run:
        raise BadInput("--where", f"{WHERE} or --run ID", hint="to say which runs to remove")
    check_idle(folder)
    check_whole(folder)
    known = removable(folder)
    runs = chosen(known, arguments.where, arguments.run)
    what = f"{len(runs)} of {counted(len(known), 'run')} in {folder}"
    if arguments.dry_run:
        print("\n".join([*runs, f"would remove {what}"]))
        return DONE
    if not (arguments.yes or _agreed(f"remove {what}? [y/N] ")):
        print("nothing is removed")
        return DONE
    with contextlib.closing(Locks(folder)) as locks:
        for run in runs:
            if not locks.take(run):
                raise BadInput(str(folder), "runs that no task trains", run, "wait for its end")
        remove(folder, runs)
    print(f"removed {what}")
    return DONE


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise BadInput("--yes", "a terminal to ask on, or --yes")
    print(question, end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


if __name__ == "__main__":
    sys.exit(main())
