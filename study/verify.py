"""``python -m study.verify FOLDER``: retrains recorded runs, each alone, and compares every bit."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from study.base.command import DONE, FAILED, Parser, run_command
from study.base.errors import BadInput, CodeFailed, named_folder
from study.base.names import refuse_untrusted


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when every retrained run holds, 1 when one does not, 2 on bad input."""
    return run_command(_main, argv, "study.verify")


def _main(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="python -m study.verify",
        description="Retrain recorded runs, each alone, and compare weights and history.",
    )
    parser.add_argument("folder", type=Path, help="a study's folder")
    parser.add_argument(
        "--runs", type=int, default=4, help="how many to retrain, spread evenly (default: 4)"
    )
    parser.add_argument("--root", default=None, help="folder with downloaded data sets")
    parser.add_argument(
        "--engine", choices=["stack", "plain"], help="what retrains (default: what trained them)"
    )
    parser.add_argument(
        "--trust", action="store_true", help="import what the recorded runs name, from outside"
    )
    given = parser.parse_args(argv)
    return _verify(given.folder, given.runs, given.root, given.engine, trust=given.trust)


def _verify(folder: Path, number: int, root: str | None, engine: str | None, *, trust: bool) -> int:
    from study.records.reading import recorded

    if number < 1:
        raise BadInput("--runs", "a number of at least 1", number)
    if root is not None:
        root = str(named_folder(root, "--root"))
    entries = recorded(folder, root)
    if not entries:
        raise BadInput(str(folder), "at least one recorded run", 0, "train first")
    number = min(number, len(entries))
    chosen = [entries[index * len(entries) // number] for index in range(number)]
    if not trust:
        refuse_untrusted((name for run, *_ in chosen for name in run.untrusted()), str(folder))
    from study.fitting.verification import verify_run
    from study.training.trainer import quiet

    quiet()
    failed = 0
    for run, row, history in chosen:
        try:
            verdict = verify_run(folder, run, row, history, engine)
        except CodeFailed as error:
            failed += 1
            print(f"{run.id}  seed {run.seed}  cannot be retrained: {error}", flush=True)
            continue
        failed += not verdict.holds
        if verdict.bitwise:
            said = "same bits"
        else:
            said = (
                f"{'within' if verdict.holds else 'NOT within'} the declared tolerance: differs by "
                f"{verdict.difference:.2g}, declared {verdict.allowed:.2g}"
            )
        print(f"{run.id}  seed {run.seed}  {said}", flush=True)
    print(f"{number - failed} of {number} retrained runs hold ({len(entries)} recorded)")
    return FAILED if failed else DONE


if __name__ == "__main__":
    sys.exit(main())
