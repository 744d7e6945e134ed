"""``python -m benchmarks``: time everything side by side in one run and print ratios.

Each measurement is a process of its own; the contenders take turns, several rounds, and medians
are compared, because a shared machine's speed drifts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

OURS = "study, 16 runs"


def main(argv: Sequence[str] | None = None) -> int:
    """Run all contenders, or, with ``--only``, one of them in this process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed")
    parser.add_argument("--epochs", type=int, default=2, help="epochs a measurement trains")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.epochs < 2:
        parser.error("--epochs: expected at least 2, as the first is warm-up")
    if arguments.only:
        from benchmarks.contenders import CONTENDERS

        timing = CONTENDERS[arguments.only](arguments.epochs)
        print(json.dumps({"seconds": timing.seconds, "accuracy": timing.accuracy}))
        return 0
    show(measure(arguments.rounds, arguments.epochs))
    return 0


def measure(rounds: int, epochs: int) -> dict[str, list[dict[str, float]]]:
    """Time every contender once a round, in turn."""
    from benchmarks.contenders import CONTENDERS

    results: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    for number in range(rounds):
        for name in CONTENDERS:
            command = [sys.executable, "-m", "benchmarks", "--only", name, "--epochs", str(epochs)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
            results[name].append(json.loads(done.stdout.splitlines()[-1]))
            found = results[name][-1]["seconds"]
            print(f"round {number + 1}: {name}: {found:.3f} s a run and epoch", file=sys.stderr)
    return results


def show(results: dict[str, list[dict[str, float]]]) -> None:
    """Print medians, spreads, and how many times as long each takes as the study does."""
    table = Table("contender", "s a run and epoch", "min–max", "x study", "test accuracy", box=None)
    medians = {
        name: statistics.median(row["seconds"] for row in rows) for name, rows in results.items()
    }
    for name, rows in results.items():
        seconds = [row["seconds"] for row in rows]
        accuracy = statistics.mean(row["accuracy"] for row in rows)
        table.add_row(
            name,
            f"{medians[name]:.3f}",
            f"{min(seconds):.3f}–{max(seconds):.3f}",
            f"{medians[name] / medians[OURS]:.2f}",
            f"{accuracy:.3f}",
        )
    Console(width=110, highlight=False).print(table)


if __name__ == "__main__":
    sys.exit(main())
