"""The room that a study takes: its weights exactly, the rest by the number of answers and rows."""

from __future__ import annotations

from typing import Any

from study.runs.disk import ANSWER_BYTES, NUMBER_BYTES, disk_bytes
from study.runs.study import Study

ROWS = 20 // 5 + 2  # before training, and where it may fit between two evaluations


def study_of(**more: Any) -> Study:
    """Return a study of digits, each run evaluated every fifth of 20 epochs."""
    base = {"data.dataset": "digits", "trainer.max_epochs": 20, "evaluate_every": 5}
    return Study.of({**base, **more})


def test_room_grows_with_runs_epochs_and_what_is_kept() -> None:
    several: dict[str, Any] = {"seeds": 3, "vary.data.label_noise": [0, 1]}
    study = study_of(**several)
    run, found = study.runs[0], disk_bytes(study)
    assert found["weights"] == 6 * 4 * run.parameters
    answers = ROWS * 200 + 2 * run.data.source.test_examples
    assert found["predictions"] == 6 * ANSWER_BYTES * answers + 200 * 64  # images, for both arms
    assert found["history"] == 6 * ROWS * (15 + 7) * NUMBER_BYTES
    split = disk_bytes(study_of(**several, **{"data.validation_examples": 100}))
    assert split["history"] == 6 * ROWS * (15 + 7 + 6) * NUMBER_BYTES
    third = 6 * ANSWER_BYTES * run.data.source.test_examples
    assert split["predictions"] == found["predictions"] + third
    without = study_of(keep_predictions=False, keep_weights=False, measures=[])
    expected = {"weights": 0, "predictions": 0, "history": ROWS * 15 * NUMBER_BYTES}
    assert disk_bytes(without) == expected


def test_images_are_counted_once_for_each_condition() -> None:
    one = disk_bytes(study_of())["predictions"]
    both = study_of(**{"vary.data.inputs": ["original", "gaussian"]})
    assert disk_bytes(both)["predictions"] == 2 * one
