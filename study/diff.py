"""``python -m study.diff A B``: prints how two runs, or the runs of two folders, differ.

Like diff, it prints nothing about equal parts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from study.base.command import DONE, Parser, run_command
from study.base.errors import BadInput
from study.base.text import plain
from study.records.difference import difference, named_place, read_run, read_runs
from study.records.difference_lines import named, shown

DIFFERENT = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when nothing differs, 1 when something does, 2 on bad input."""
    return run_command(_main, argv, "study.diff")


def _main(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="python -m study.diff",
        description="Print the facts, environments and results in which two runs differ, or the "
        "runs of two folders, matched by their ids. Exit status: 0 nothing differs, 1 something "
        "differs, 2 bad input.",
    )
    what = "a study's folder, FOLDER/ID, or a run's id with --in"
    parser.add_argument("a", metavar="A", help=what)
    parser.add_argument("b", metavar="B", help="the same, to compare A with")
    parser.add_argument("--in", dest="folder", type=Path, help="the folder of runs given by id")
    arguments = parser.parse_args(argv)
    try:
        lines = list(_lines(arguments.a, arguments.b, arguments.folder))
    except OSError as error:  # not exit status 1, which means "something differs" here
        raise BadInput("records", "files that can be read", str(error)) from None
    print("\n".join(map(plain, lines)), end="\n" if lines else "")
    return DIFFERENT if lines else DONE


def _lines(a: str, b: str, inside: Path | None) -> Iterator[str]:
    (first, one), (second, other) = (named_place(name, inside) for name in (a, b))
    if (one is None) != (other is None):
        raise BadInput(b, "two runs or two folders", f"{a} and {b}")
    if one is not None and other is not None:
        found = difference(read_run(first, one), read_run(second, other))
        if any(found):
            yield from [f"a: {first / one}", f"b: {second / other}", *shown(found)]
        return
    runs, others = read_runs(first), read_runs(second)
    yield from named(f"only in {first}", [run for run in runs if run not in others])
    yield from named(f"only in {second}", [run for run in others if run not in runs])
    alike: dict[tuple[str, ...], list[str]] = {}  # many runs differ in their environment alone
    for run in runs:
        if run in others and any(found := difference(runs[run], others[run])):
            alike.setdefault(tuple(shown(found)), []).append(run)
    for lines, its in alike.items():
        yield from [*named("in both", its), *lines]


if __name__ == "__main__":
    sys.exit(main())
