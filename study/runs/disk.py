"""How much room a study's records take on disk. Imports no torch."""

from __future__ import annotations

from study.base.names import MEASURE
from study.runs.run import Run
from study.runs.study import Study

EXAMPLES = 200  # training examples whose answers are kept at each evaluation
TIMES = 2  # that answers on the test set are kept: at fit and at the end; with a split, 3
ANSWER_BYTES = 2.5  # an answer and its probability in a parquet file
NUMBER_BYTES = 9.0  # a number of ``history`` in a parquet file
METRICS, VALIDATION = 15, 6  # columns of ``history`` that every study has, or one with a split


def disk_bytes(study: Study) -> dict[str, float]:
    """Return about how many bytes a study takes at most, for each of what it keeps.

    Examples
    --------
    >>> small = disk_bytes(Study(seeds=10, keep_predictions=False))
    >>> small["weights"] == 10 * 4 * Run().parameters, small["predictions"]
    (True, 0.0)
    """
    arms = study.runs[: len(study.arms)]
    seeds = len(study.runs) // len(arms)
    measures = [MEASURE.resolve(name, "measures") for name in study.measures]
    columns = METRICS + sum(len(each.columns) for each in measures)
    found = {
        "weights": float(study.keep_weights * seeds * sum(map(_weights, arms))),
        "predictions": study.keep_predictions * seeds * sum(map(_predictions, arms)),
        "history": NUMBER_BYTES
        * seeds
        * sum(_evaluations(run) * (columns + VALIDATION * _split(run)) for run in arms),
    }
    if study.keep_predictions:
        data = {(r.data.dataset, r.data.inputs, r.data.normalize, r.data.examples): r for r in arms}
        images = sum(min(EXAMPLES, r.data.examples) * r.widths[0] for r in data.values())
        found["predictions"] += images
    return found


def _split(run: Run) -> bool:
    return run.data.validation_examples > 0


def _weights(run: Run) -> int:
    return run.parameters * (8 if run.trainer.precision == "64-true" else 4)


def _evaluations(run: Run) -> int:
    """Return the most epochs at which a run is evaluated: before training, and at fit, too."""
    return run.trainer.max_epochs // run.evaluate_every + 2


def _predictions(run: Run) -> float:
    examples = _evaluations(run) * min(EXAMPLES, run.data.examples)
    return ANSWER_BYTES * (examples + (TIMES + _split(run)) * run.data.source.test_examples)
