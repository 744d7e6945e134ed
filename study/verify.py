"""``python -m study.verify FOLDER``: retrains recorded runs, each alone, and compares every bit."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from study.base.command import DONE, FAILED, Parser, run_command
from study.base.errors import BadInput, named_folder

# The largest relative difference of two histories of one run, a stack's and the plain module's.
# Rounding grows over the steps of a training, and most in one that diverges.
BETWEEN_ENGINES = {"64-true": 1e-6, "32-true": 1e-3, "bf16-mixed": 1e-1}


class Verdict(NamedTuple):
    """The result of retraining one run.

    Attributes
    ----------
    run
        The run's id.
    bitwise
        Whether weights and history have the same bits.
    difference
        The largest difference in the history, relative to the recorded value.
    allowed
        The tolerance that the run's environment declares; 0 promises the same bits. Where another
        engine retrained, `BETWEEN_ENGINES`.
    """

    run: str
    bitwise: bool
    difference: float
    allowed: float

    @property
    def holds(self) -> bool:
        """Whether the record's promise is kept."""
        return self.bitwise or (self.allowed > 0 and self.difference <= self.allowed)


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
    arguments = parser.parse_args(argv)
    return _verify(arguments.folder, arguments.runs, arguments.root, arguments.engine)


def _verify(folder: Path, number: int, root: str | None, engine: str | None) -> int:
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
    from study.training.trainer import quiet

    quiet()
    failed = 0
    for run, row, history in chosen:
        verdict = verify_run(folder, run, row, history, engine)
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


def verify_run(
    folder: Path,
    run: Any,
    row: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    engine: str | None = None,
) -> Verdict:
    """Retrain one run alone, with its environment's settings, and compare it with its record.

    Another ``engine`` than the recorded one does not give its bits: the histories are compared to
    `BETWEEN_ENGINES`.
    """
    import torch

    from study.measures import MEASURES
    from study.records.writing import weights_hash
    from study.training.loop import retrain
    from study.training.plain_loop import retrain_plain

    path = folder / "environment" / f"{row['environment']}.json"
    try:
        environment = json.loads(path.read_text(encoding="utf-8"))
        torch.set_num_threads(environment["threads"])
        tolerance = float(environment["tolerance"])
        routes = dict(environment["routes"])
        accelerator = "cpu" if environment["device"] == "cpu" else "auto"
        trained_by = environment.get("engine", "stack")
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise BadInput(str(path), "the environment of a recorded run", str(error)) from None
    there = run.with_settings({"trainer.accelerator": accelerator})
    columns = {name for epoch in history for name, value in epoch.items() if value is not None}
    measures = [name for name, each in MEASURES.items() if not columns.isdisjoint(each.columns)]
    engine = engine or trained_by
    if engine == "plain":
        weights, again, hashes = retrain_plain(there, measures)
    else:
        weights, again, hashes = retrain(there, routes, measures)
    for name, found in zip(("data_hash", "labels_hash"), hashes, strict=True):
        if found != row[name]:
            raise BadInput(
                f"{run.id} {name}", row[name], found, "the data set differs from the recorded one"
            )
    difference = largest_difference(history, again)
    same = weights_hash(weights) == row["weights_hash"] and difference == 0
    if engine != trained_by:
        return Verdict(run.id, same, difference, BETWEEN_ENGINES[run.trainer.precision])
    # Rounding differences add up over the steps of a training.
    steps = row["epochs"] * math.ceil(run.data.examples / run.data.batch_size)
    return Verdict(run.id, same, difference, tolerance * steps)


def largest_difference(
    recorded: Sequence[Mapping[str, Any]], again: Sequence[Mapping[str, Any]]
) -> float:
    """Return the largest relative difference of two histories; infinite if their epochs differ.

    Columns that only one history has are skipped, as versions record different measures.
    """
    if [row["epoch"] for row in recorded] != [row["epoch"] for row in again]:
        return math.inf
    largest = 0.0
    for old, new in zip(recorded, again, strict=True):
        for name, value in old.items():
            if name == "run" or name not in new or value is None:
                continue
            if value == new[name] or (value != value and new[name] != new[name]):
                continue  # two infinities are equal, and so are two nans
            relative = abs(value - new[name]) / max(abs(value), 1e-12)
            largest = max(largest, math.inf if math.isnan(relative) else relative)
    return largest


if __name__ == "__main__":
    sys.exit(main())
