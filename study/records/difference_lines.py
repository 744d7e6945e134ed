"""Differences of recorded runs as lines of text."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from study.records.difference import Changes, Difference, Gap

WIDTH = 80


def named(heading: str, runs: Sequence[str]) -> Iterator[str]:
    """Yield a heading and the ids of some runs; nothing where there is no run."""
    if runs:
        yield f"{heading}, {len(runs)} run{'s' * (len(runs) > 1)}:"
        yield from textwrap.wrap(" ".join(runs), WIDTH, initial_indent="  ", subsequent_indent="  ")


def shown(found: Difference) -> Iterator[str]:
    """Yield in what two runs differ, a line each or more."""
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
