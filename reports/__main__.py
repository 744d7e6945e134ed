"""``python -m reports FOLDER…``: figures, tables, verdicts and one page, from records alone."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from reports.arguments import figure_names, parser
from reports.figures import FIGURE
from study.base.command import DONE, Parser, run_command
from study.base.errors import BadInput
from study.base.text import plain


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when the report is written, 2 on bad input."""
    return run_command(_report, argv, "reports")


def _report(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    if arguments.watch and arguments.only:
        raise BadInput("--watch", "the whole report, without --only", "both")
    names = figure_names(arguments.figures)
    for name in arguments.only or ():
        FIGURE.check(name, "--only")
    # Late, so that a wrong name is reported before anything heavy is imported.
    from reports.build import build, build_figures

    out = arguments.out or arguments.folders[0] / "report"
    if arguments.only:
        for line in build_figures(
            arguments.folders, out, arguments.style, arguments.claims, arguments.only
        ):
            print(plain(line))
        return DONE

    def make(watched: str | None = None) -> list[str]:
        return build(arguments.folders, out, arguments.style, arguments.claims, names, watched)

    if arguments.watch:
        from reports.watching import watch

        watch(arguments.folders, out, make, functools.partial(print, flush=True))
        return DONE
    for line in make():
        print(plain(f"left out: {line}"), file=sys.stderr)
    print(out / "index.html")
    return DONE


def _parser() -> Parser:
    about = "Turn the records of studies into figures, tables, verdicts and a page."
    options = parser("reports", about)
    options.add_argument("--out", type=Path, help="where to (default: FOLDER/report)")
    options.add_argument("--style", choices=["paper", "talk", "web"], default="paper")
    options.add_argument(
        "--only",
        action="append",
        metavar="FIGURE",
        help="draw this figure and write nothing else; may be repeated",
    )
    options.add_argument(
        "--watch",
        action="store_true",
        help="make the report again as runs end, until all have; the page reloads itself",
    )
    return options


if __name__ == "__main__":
    sys.exit(main())
