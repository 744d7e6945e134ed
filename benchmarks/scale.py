"""``python -m benchmarks.scale``: time and memory of reading and reporting 100,000 runs.

It writes a study's folder as 1,000 tasks would leave it: real runs with their ids and facts, and
made-up results. Then it times each step in its own process, imports included.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

MOST_SECONDS, MOST_GIB = 60.0, 4.0


def main(argv: Sequence[str] | None = None) -> int:
    """Write a folder and time its readers; 1 when a step exceeds its time or memory limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000, help="runs (default: 100000)")
    parser.add_argument("--tasks", type=int, default=1_000, help="tasks, each with a part")
    parser.add_argument("--out", type=Path, help="folder to measure; it is written if missing")
    parser.add_argument("--step", choices=[*STEPS, "write"], help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.step == "write":
        from benchmarks.simulated import simulate

        simulate(arguments.out, arguments.runs, arguments.tasks)
        return 0
    if arguments.step:
        print(STEPS[arguments.step](arguments.out))
        return 0
    with tempfile.TemporaryDirectory() as elsewhere:
        folder = arguments.out or Path(elsewhere) / "scale"
        if not (folder / "study.yaml").exists():
            size = ["--runs", str(arguments.runs), "--tasks", str(arguments.tasks)]
            # In its own process, as a child's peak memory is at least its parent's.
            written = measured([*step("write", folder), *size])
            print(f"written in {written.seconds:.0f} s {written.said}", file=sys.stderr)
        took = {name: measured(command) for name, command in commands(folder)}
    print(markdown(took))
    return int(any(each.failed for each in took.values()))


def expand(folder: Path) -> str:
    """Read the config and take one task's share of its runs."""
    from study.runs.config import study_in
    from study.runs.shards import Shard

    study = study_in(folder)
    return f"{len(Shard(3, 1_000).take(study.runs))} of {len(study.runs)} runs"


def ended(folder: Path) -> str:
    """Look up which runs are recorded."""
    from study.records.writing import Folder

    return f"{len(Folder(folder, 'scale').ended())} runs ended"


def read(folder: Path) -> str:
    """Read runs and history."""
    from study import load

    runs, epochs = load(folder)
    return f"{len(runs)} runs, {len(epochs)} epochs"


STEPS: dict[str, Callable[[Path], str]] = {"expand": expand, "ended": ended, "load": read}


def step(name: str, folder: Path) -> list[str]:
    """Return the command that runs one of this module's steps."""
    return ["benchmarks.scale", "--step", name, "--out", str(folder)]


def commands(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each step's name and command."""
    for name in STEPS:
        yield name, step(name, folder)
    if importlib.util.find_spec("study.status") is None:
        print("status: there is no study.status", file=sys.stderr)
    else:
        yield "status", ["study.status", str(folder)]
    yield "report", ["reports", str(folder)]


class Took(NamedTuple):
    """A step's time, memory, exit status and output."""

    seconds: float
    processor_seconds: float
    gib: float
    status: int
    said: str

    @property
    def failed(self) -> bool:
        """Whether the step failed or exceeded a limit."""
        return bool(self.status) or self.seconds > MOST_SECONDS or self.gib > MOST_GIB


def measured(command: Sequence[str]) -> Took:
    """Run a module as a process and measure it."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen([sys.executable, "-m", *command], stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        output.seek(0)
        said = output.read().strip().splitlines() or [""]
    unit = 2**30 if sys.platform == "darwin" else 2**20  # kB, but for macOS
    return Took(
        seconds,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / unit,
        process.returncode,
        said[-1] if process.returncode else said[0],
    )


def markdown(took: dict[str, Took]) -> str:
    """Return a table of the steps' time and memory."""
    lines = ["| step | s | CPU s | GiB | |", "|---|--:|--:|--:|---|"]
    for name, each in took.items():
        numbers = f"{each.seconds:.1f} | {each.processor_seconds:.1f} | {each.gib:.2f}"
        note = f"**failed** {each.said}" if each.failed else each.said
        lines.append(f"| {name} | {numbers} | {note} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
