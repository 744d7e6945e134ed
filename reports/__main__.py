"""``python -m reports FOLDER…``: figures, tables, verdicts and one page, from records alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from study.base.errors import BadInput

DONE, BAD_INPUT = 0, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when the report is written, 2 on bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description="Turn the records of studies into figures, tables, verdicts and a page.",
    )
    parser.add_argument("folders", nargs="+", type=Path, help="folders of studies")
    parser.add_argument("--out", type=Path, help="where to (default: FOLDER/report)")
    parser.add_argument("--style", choices=["paper", "talk", "web"], default="paper")
    parser.add_argument(
        "--claims", action="append", type=Path, default=[], help="a file of further claims"
    )
    arguments = parser.parse_args(argv)
    out = arguments.out or arguments.folders[0] / "report"
    try:
        from reports.build import build

        left_out = build(arguments.folders, out, arguments.style, arguments.claims)
    except (BadInput, OSError) as fault:
        print(f"reports: {fault}", file=sys.stderr)
        return BAD_INPUT
    for line in left_out:
        print(f"left out: {line}", file=sys.stderr)
    print(f"{out / 'index.html'}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
