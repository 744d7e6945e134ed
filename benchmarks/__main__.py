"""``python -m benchmarks``: time everything side by side in one run and print ratios.

Each measurement runs in its own process. The contenders take turns for several rounds, and their
medians are compared, because a shared machine's speed drifts.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import WORKLOADS
from benchmarks.contenders import contenders

Results = dict[str, list[dict[str, float]]]
ACCURACY_APART = 0.01


def main(argv: Sequence[str] | None = None) -> int:
    """Run the contenders; 1 when a contender failed or reached another accuracy than the study."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each contender")
    parser.add_argument("--epochs", type=int, help="epochs per measurement (default: 2 or 10)")
    parser.add_argument(
        "--workload", choices=[*WORKLOADS, "gpu", "coverage", "all"], default="784-256-10"
    )
    parser.add_argument(
        "--only", nargs="+", default=[""], help="only contenders whose name has one of these texts"
    )
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    parser.add_argument("--budget", type=float, default=420, help="seconds for the workload gpu")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="where gpu runs")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.epochs is not None and arguments.epochs < 2:
        parser.error("--epochs: expected at least 2, as the first warms up")
    if arguments.workload == "gpu":
        return gpu(arguments, parser)
    if arguments.workload == "coverage":
        from benchmarks.coverage import measure as simulate

        print(simulate(arguments.out))
        return 0
    if arguments.one:
        contender = contenders(arguments.workload)[arguments.one]
        timing = contender(WORKLOADS[arguments.workload], arguments.epochs)
        print(json.dumps(timing._asdict()))
        return 0
    status = 0
    for workload in WORKLOADS if arguments.workload == "all" else [arguments.workload]:
        ours, *others = contenders(workload)
        names = [ours, *(n for n in others if any(text in n for text in arguments.only))]
        epochs = arguments.epochs or WORKLOADS[workload].epochs
        results, failed = measure(workload, names, arguments.rounds, epochs)
        if ours not in results:
            return 1
        text = markdown(workload, results)
        print(text)
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / f"{workload}.md").write_text(text)
        figure(workload, results, arguments.out / f"{workload}.png")
        status |= failed | (not trained_alike(results))
    return status


def gpu(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Measure everything on a GPU within a budget of time, and show the table."""
    import torch

    from benchmarks.gpu.measuring import Limits, measure_all, plan
    from benchmarks.gpu.table import table

    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device: expected a CUDA device, found none; cpu tries the logic")
    items = [item for item in plan() if any(text in item.name for text in arguments.only)]
    path = arguments.out / "gpu.json"
    found = measure_all(items, path, arguments.device, Limits(budget=arguments.budget))
    print(table(path))
    return int(any("not_measured" in item for item in found["items"]))


def measure(workload: str, names: Sequence[str], rounds: int, epochs: int) -> tuple[Results, bool]:
    """Time every contender once a round; a contender that fails is reported and left out."""
    results: Results = {name: [] for name in names}
    for number in range(rounds):
        for name in [name for name in names if name in results]:
            command = [sys.executable, "-m", "benchmarks", "--one", name]
            command += ["--workload", workload, "--epochs", str(epochs)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{name} failed: {done.stderr.strip()[-500:]}", file=sys.stderr)
                del results[name]
                continue
            results[name].append(json.loads(done.stdout.splitlines()[-1]))
            found = results[name][-1]["seconds"]
            print(f"round {number + 1}: {name}: {found:.3f} s", file=sys.stderr)
    return results, len(results) < len(names)


def markdown(workload: str, results: Results) -> str:
    """Return a table of medians, spreads, and medians relative to the study's."""
    ours = statistics.median(row["seconds"] for row in next(iter(results.values())))
    lines = [
        f"{workload}: {WORKLOADS[workload].unit}.",
        "",
        "| contender | median | min–max | × study | test accuracy |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, rows in results.items():
        seconds = [row["seconds"] for row in rows]
        median = statistics.median(seconds)
        accuracy = statistics.mean(row["accuracy"] for row in rows)
        shown = "" if math.isnan(accuracy) else f"{accuracy:.3f}"
        lines.append(
            f"| {name} | {median:.3f} | {min(seconds):.3f}–{max(seconds):.3f} "
            f"| {median / ours:.2f} | {shown} |"
        )
    outside = [row["outside"] for row in next(iter(results.values()))]
    if not any(map(math.isnan, outside)):
        share = statistics.median(outside)
        lines += ["", f"Time outside training steps, including Lightning's loop: {share:.1%}."]
    return "\n".join([*lines, ""])


def figure(workload: str, results: Results, path: Path) -> None:
    """Draw every measurement of every contender."""
    import matplotlib as mpl
    import pandas as pd
    import seaborn as sns

    mpl.use("Agg")
    rows = [{"contender": name, **row} for name, found in results.items() for row in found]
    axes = sns.stripplot(pd.DataFrame(rows), x="seconds", y="contender", color="0.2")
    label = WORKLOADS[workload].unit.replace("; ", "\n")
    axes.set(xscale="log", xlabel=f"{workload}: {label}", ylabel="")
    axes.grid(visible=True, axis="x", which="both", alpha=0.3)
    axes.figure.savefig(path, dpi=150, bbox_inches="tight")
    mpl.pyplot.close("all")


def trained_alike(results: Results) -> bool:
    """Tell whether all contenders trained on every example are within a point of our accuracy."""
    ours = statistics.mean(row["accuracy"] for row in next(iter(results.values())))
    alike = True
    for name, rows in results.items():
        accuracy = statistics.mean(row["accuracy"] for row in rows)
        fewer = name in ("study, 64 runs", "study, 256 runs")
        if not math.isnan(accuracy) and not fewer and abs(accuracy - ours) > ACCURACY_APART:
            print(f"{name}: test accuracy {accuracy:.3f}, the study's {ours:.3f}", file=sys.stderr)
            alike = False
    return alike


if __name__ == "__main__":
    sys.exit(main())
