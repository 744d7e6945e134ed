"""How much room a study's records take on disk. Imports no torch."""

from __future__ import annotations

from study.base.names import MEASURE
from study.runs.packing import number_bytes
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
    >>> study = Study(seeds=10, keep_predictions=False)
    >>> found = disk_bytes(study)
    >>> found["weights"] == 10 * 4 * study.runs[0].parameters, found["predictions"]
    (True, 0.0)
    """
    measures = [MEASURE.resolve(name, "measures") for name in study.measures]
    columns = METRICS + sum(len(each.columns) for each in measures)
    found = {"weights": 0.0, "predictions": 0.0, "history": 0.0}
    images = {}
    for run in study.runs[: len(study.arms)]:
        data, split = run.data, run.data.validation_examples > 0
        examples = min(EXAMPLES, data.examples)
        evaluations = run.trainer.max_epochs // run.evaluate_every + 2  # at first and at fit, too
        answers = evaluations * examples + (TIMES + split) * data.source.test_examples
        found["weights"] += number_bytes(run) * run.parameters
        found["predictions"] += ANSWER_BYTES * answers
        found["history"] += NUMBER_BYTES * evaluations * (columns + VALIDATION * split)
        images[data.dataset, data.inputs, data.normalize, data.examples] = examples * run.widths[0]
    found = {name: size * len(study.runs) / len(study.arms) for name, size in found.items()}
    found["weights"] *= study.keep_weights
    found["predictions"] = (found["predictions"] + sum(images.values())) * study.keep_predictions
    return found
