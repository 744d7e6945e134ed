"""``python -m study.wandb``: turns W&B runs, online or in files, into records for reports."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from study.base.command import DONE, Parser, run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 bad input, 1 anything else."""
    return run_command(_main, argv, "study.wandb")


def _main(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="python -m study.wandb",
        description="Write the records held by W&B runs into a folder that reports can read.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    pull = commands.add_parser("pull", help="read runs from a W&B server")
    pull.add_argument("source", metavar="ENTITY/PROJECT/GROUP")
    read = commands.add_parser("read", help="read offline-run-… folders")
    read.add_argument("source", metavar="DIR", help="a folder that contains offline-run-… folders")
    for each in (pull, read):
        each.add_argument("--out", type=Path, help="the new folder (default: results/<name>-wandb)")
    arguments = parser.parse_args(argv)
    from study.wandb.offline import read_all_offline
    from study.wandb.online import read_online
    from study.wandb.restore import restore

    online = arguments.command == "pull"
    fetched = (read_online if online else read_all_offline)(arguments.source)
    out, number, left_out = restore(fetched, arguments.out)
    for line in left_out:
        print(f"left out: {line}", file=sys.stderr)
    print(f"{out}: {number} runs; python -m reports {out}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
