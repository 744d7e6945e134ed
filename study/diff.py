"""``python -m study.diff A B``: prints how two runs, or the runs of two folders, differ.

Like diff, it prints nothing about equal parts.
"""

from __future__ import annotations

import json
import math
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from study.base.command import DONE, Parser, run_command
from study.base.errors import BadInput, nearest
from study.records.difference import Changes, Difference, Gap, RecordedRun, difference, read_runs

DIFFERENT = 1
WIDTH = 80


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
    print("\n".join(lines), end="\n" if lines else "")
    return DIFFERENT if lines else DONE


def _lines(a: str, b: str, inside: Path | None) -> Iterator[str]:
    (first, one), (second, other) = (_place(name, inside) for name in (a, b))
    if (one is None) != (other is None):
        raise BadInput(b, "two runs or two folders", f"{a} and {b}")
    if one is not None and other is not None:
        found = difference(_run(first, one), _run(second, other))
        if any(found):
            yield from [f"a: {first / one}", f"b: {second / other}", *_shown(found)]
        return
    runs, others = read_runs(first), read_runs(second)
    yield from _named(f"only in {first}", [run for run in runs if run not in others])
    yield from _named(f"only in {second}", [run for run in others if run not in runs])
    alike: dict[tuple[str, ...], list[str]] = {}  # many runs differ in their environment alone
    for run in runs:
        if run in others and any(found := difference(runs[run], others[run])):
            alike.setdefault(tuple(_shown(found)), []).append(run)
    for shown, its in alike.items():
        yield from [*_named("in both", its), *shown]


def _place(name: str, inside: Path | None) -> tuple[Path, str | None]:
    """Return the folder that an argument names, and the run's id, or None for the whole folder."""
    path = Path(name)
    if inside is not None and len(path.parts) == 1:
        return inside, name
    if (path / "study.yaml").is_file():
        return path, None
    if (path.parent / "study.yaml").is_file():
        return path.parent, path.name
    hint = "" if inside else "give the folder of an id with --in FOLDER"
    raise BadInput(name, "a study's folder, FOLDER/ID or an id", hint=hint)


def _run(folder: Path, run: str) -> RecordedRun:
    found = read_runs(folder, {run})
    if run not in found:
        known = list(read_runs(folder))
        raise BadInput(
            run, f"one of {len(known)} runs recorded in {folder}", hint=nearest(run, known)
        )
    return found[run]


def _named(heading: str, runs: Sequence[str]) -> Iterator[str]:
    if runs:
        yield f"{heading}, {len(runs)} run{'s' * (len(runs) > 1)}:"
        yield from textwrap.wrap(" ".join(runs), WIDTH, initial_indent="  ", subsequent_indent="  ")


def _shown(found: Difference) -> Iterator[str]:
    sections: Mapping[str, Changes | Mapping[str, Gap]] = found._asdict()
    for heading, changed in sections.items():
        if changed:
            yield f"  {heading}"
        for key, each in changed.items():
            yield from _gap(key, each) if isinstance(each, Gap) else _change(key, *each)


def _change(key: str, a: Any, b: Any) -> Iterator[str]:
    line = f"    {key}: {_text(a)} -> {_text(b)}"
    if len(line) <= WIDTH:
        yield line
        return
    yield f"    {key}:"
    for mark, value in (("", a), ("-> ", b)):
        indent = " " * 6 + mark
        yield from textwrap.wrap(
            _text(value), WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent)
        )


def _text(value: Any) -> str:
    if value is ...:
        return "absent"
    return value if isinstance(value, str) else json.dumps(value)


def _gap(column: str, gap: Gap) -> Iterator[str]:
    by = f"by at most {gap.largest:.2g}" if math.isfinite(gap.largest) else "one has no number"
    yield f"    {column}: {gap.epochs} of {gap.of} epochs from {gap.first}, {by}"


if __name__ == "__main__":
    sys.exit(main())
