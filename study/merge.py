"""``python -m study.merge FOLDER… --out FOLDER``: joins the folders of one study's shares."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from study.base.command import DONE, Parser, run_command
from study.base.errors import BadInput
from study.fitting.standing import check_idle
from study.records.joining import join


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when the folders are joined, 2 on bad input."""
    return run_command(_main, argv, "study.merge")


def _main(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="python -m study.merge",
        description="Join the folders of one study that were trained with --shard on machines "
        "without a common disk. All of it is written, or nothing; the folders stay as they are.",
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="study folders")
    parser.add_argument("--out", type=Path, required=True, help="the new folder")
    arguments = parser.parse_args(argv)
    if len({folder.resolve() for folder in arguments.folders}) < max(2, len(arguments.folders)):
        found = " ".join(map(str, arguments.folders))
        raise BadInput("FOLDER", "at least two folders, each once", found)
    for folder in arguments.folders:
        check_idle(folder)
    joined = join(arguments.folders, arguments.out)
    begun = f", {joined.begun} begun" if joined.begun else ""
    print(f"{arguments.out}: {joined.recorded} of {joined.runs} runs recorded{begun}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
