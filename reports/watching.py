"""Makes a report again whenever a run ends, so that a browser can follow a training.

While it watches, the page asks every two seconds for ``made.js`` beside it, which names the newest
report, and reloads itself when that is another one. The last page asks for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from reports.read import asked_for
from reports.wording import write
from study.base.errors import BadInput
from study.base.files import sha256
from study.records.parquet import ended_runs
from study.records.reading import read_config

SECONDS = 2.0
MADE = "made.js"


def watch(
    folders: Sequence[Path],
    out: Path,
    make: Callable[[str | None], object],
    say: Callable[[str], None],
) -> None:
    """Make a report now and whenever runs have ended, until all of its studies' runs have.

    Parameters
    ----------
    folders
        The studies' folders; they may not exist yet.
    out
        The report's folder.
    make
        Makes the report, told the name that its page compares with ``made.js``; None for the last.
    say
        Shows a line.
    """
    before: str | None = None
    while True:
        ended, asked = progress(folders)
        last = 0 < asked <= len(ended)
        name = "last" if last else sha256([" ".join(ended).encode()])[:12]
        if ended and name != before:
            make(None if last else name)
            write(out / MADE, f'window.studyMade = "{name}";\n')
            say(f"{len(ended)} of {asked} runs: {out / 'index.html'}")
        elif before is None and not ended:
            say("waiting for the first run to end")
        before = name
        if last:
            return
        time.sleep(SECONDS)


def progress(folders: Sequence[Path]) -> tuple[list[str], int]:
    """Return the ids of the runs that have ended, sorted, and how many the studies ask for.

    A study that has not begun counts as one run that has not ended.
    """
    ended: set[str] = set()
    asked = 0
    for folder in folders:
        try:
            asked += asked_for(read_config(folder))
        except BadInput:
            asked += 1
        ended |= {str(row[0]) for row in ended_runs(folder, ["run"])}
    return sorted(ended), asked
