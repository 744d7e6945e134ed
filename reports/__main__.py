"""``python -m reports FOLDER…``: figures, tables, verdicts and one page, from records alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from reports.arguments import figure_names, parser
from study.base.command import DONE, run_command
from study.base.text import plain


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when the report is written, 2 on bad input."""
    return run_command(_report, argv, "reports")


def _report(argv: Sequence[str]) -> int:
    about = "Turn the records of studies into figures, tables, verdicts and a page."
    options = parser("reports", about)
    options.add_argument("--out", type=Path, help="where to (default: FOLDER/report)")
    options.add_argument("--style", choices=["paper", "talk", "web"], default="paper")
    arguments = options.parse_args(argv)
    names = figure_names(arguments.figures)
    # Late, so that a wrong name is reported before anything heavy is imported.
    from reports.build import build

    out = arguments.out or arguments.folders[0] / "report"
    for line in build(arguments.folders, out, arguments.style, arguments.claims, names):
        print(plain(f"left out: {line}"), file=sys.stderr)
    print(out / "index.html")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
