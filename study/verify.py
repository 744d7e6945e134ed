"""``python -m study.verify FOLDER``: checks records by their hashes, and retrains some runs."""

from __future__ import annotations

import math
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from study.base.command import DONE, FAILED, Parser, run_command
from study.base.errors import BadInput, CodeFailed, named_folder
from study.base.names import refuse_untrusted
from study.base.text import counted, plain
from study.runs.choosing import add_options, chosen

if TYPE_CHECKING:
    from study.fitting.verification import Verdict


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when all that was checked holds, 1 when it does not, 2 on bad input."""
    return run_command(_main, argv, "study.verify")


def _main(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="python -m study.verify",
        description="Check every record against its hashes, then retrain recorded runs, each "
        "alone, and compare their weights, histories and predictions.",
    )
    parser.add_argument("folder", type=Path, help="a study's folder")
    parser.add_argument("--records", action="store_true", help="retrain nothing; takes seconds")
    add_options(parser)
    parser.add_argument(
        "--runs", type=int, help="how many to retrain, spread evenly (default: 4, or all chosen)"
    )
    parser.add_argument("--root", help="folder with downloaded data sets")
    parser.add_argument(
        "--engine", choices=["stack", "plain"], help="what retrains (default: what trained them)"
    )
    parser.add_argument(
        "--trust", action="store_true", help="import what the recorded runs name, from outside"
    )
    given = parser.parse_args(argv)
    if given.runs is not None and given.runs < 1:
        raise BadInput("--runs", "a number of at least 1", given.runs)
    others = (given.run, given.where, given.runs, given.root, given.engine, given.trust)
    if given.records and any(others):
        raise BadInput("--records", "no option beside it", hint="it retrains nothing")
    if given.root is not None:
        given.root = str(named_folder(given.root, "--root"))
    sound = _check(given.folder)
    return sound if given.records else max(sound, _retrain(given))


def _check(folder: Path) -> int:
    """Check all records of a study and print what was found."""
    from study.records.checking import check

    runs, faults, notes = check(folder)
    if not runs and not faults:
        raise BadInput(str(folder), "at least one recorded run", 0, "train first")
    for line in [*faults, *(f"not covered: {note}" for note in notes)]:
        print(plain(line))
    found = counted(len(faults), "fault") if faults else "everything that has a hash agrees with it"
    print(f"records of {counted(runs, 'run')}: {found}", flush=True)
    return FAILED if faults else DONE


def _retrain(given: Namespace) -> int:
    """Retrain the runs that are asked for and print how each compares with its record."""
    from study.records.predictions import tables_by_run
    from study.records.reading import recorded

    folder = given.folder
    entries = recorded(folder, given.root)
    ids = chosen({run.id: run.facts() for run, *_ in entries}, given.where, given.run)
    of_these = [entry for entry in entries if entry[0].id in ids]
    every = len(of_these) if given.run or given.where else 4
    number = min(given.runs or every, len(of_these))
    of_these = [of_these[index * len(of_these) // number] for index in range(number)]
    if not given.trust:
        refuse_untrusted((name for run, *_ in of_these for name in run.untrusted()), str(folder))
    answers = tables_by_run(folder, [run.id for run, *_ in of_these])
    from study.fitting.verification import Recorded, verify_run
    from study.training.trainer import quiet

    quiet()
    failed, left_out = 0, dict[str, None]()
    for run, row, history in of_these:
        weights = folder / "weights" / f"{run.id}.safetensors"
        record = Recorded(run, row, history, answers.get(run.id), weights)
        try:
            verdict = verify_run(folder, record, given.engine)
        except CodeFailed as error:
            failed += 1
            print(f"{run.id}  seed {run.seed}  cannot be retrained: {error}", flush=True)
            continue
        failed += not verdict.holds
        left_out |= dict.fromkeys(verdict.not_compared)
        print(f"{run.id}  seed {run.seed}  {_said(verdict)}", flush=True)
    if left_out:
        print(f"not compared: {'; '.join(left_out)}")
    print(f"{number - failed} of {number} retrained runs hold ({len(entries)} recorded)")
    return FAILED if failed else DONE


def _said(verdict: Verdict) -> str:
    if verdict.bitwise:
        return "same bits"
    within = "within" if verdict.holds else "NOT within"
    sizes = {k: f" (by {v:.2g})" * math.isfinite(v) for k, v in verdict.differences.items()}
    what = ", ".join(f"{name}{size}" for name, size in sizes.items())
    return f"{within} the declared tolerance of {verdict.allowed:.2g}: differs in {what}"


if __name__ == "__main__":
    sys.exit(main())
