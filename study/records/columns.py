"""What each column of ``runs`` and ``history`` holds, a sentence each; facts say it themselves."""

from __future__ import annotations

from collections.abc import Sequence

from study.measures import DEFAULT, MEASURES
from study.runs.run import fact_keys

RUN = {
    "run": "The run's id, a hash of its facts.",
    "facts": "All facts as JSON, of which the id is the hash.",
    "status": "`fitted` (it has an `epochs_to_fit`), `finished` (it never fitted), `diverged` (its "
    "loss became no number), or `failed` (code of yours raised an error).",
    "epochs": "The number of epochs trained.",
    "epochs_to_fit": "The first epoch at which the run fitted its labels; empty if it never did.",
    "parameters": "How many numbers the network learns.",
    "image_shape": "The shape of the data set's images, as JSON.",
    "classes": "How many classes the data set has.",
    "test_examples": "How many images the test set has.",
    "outside": "The sha256 of the source of each object of your own that the facts name, as JSON; "
    "empty if there is none.",
    "seconds": "The run's share of the time for which its stack trained.",
    "data_hash": "The sha256 of the data set's content.",
    "labels_hash": "The sha256 of the examples chosen and the labels trained on.",
    "weights_hash": "The sha256 of the trained weights.",
    "environment": "The name of the file in `environment/` that describes the machine.",
    "error": "Of a failed run, the error; empty otherwise. Such a run has no history, no weights "
    "and no hashes, and the next start trains it again.",
}

HISTORY = {
    "run": "The run's id.",
    "epoch": "The epoch after which the run was evaluated; 0 is before training.",
    "train_cross_entropy": "Cross-entropy in nats on the labels trained on.",
    "train_squared_error": "Squared error, summed over classes, on the labels trained on.",
    "train_accuracy": "Accuracy on the labels trained on.",
    "train_accuracy_true": "Accuracy of the training examples against their true labels.",
    "train_accuracy_redrawn": "Accuracy on the examples whose label was redrawn, against the label "
    "trained on; empty if there are none.",
    "train_accuracy_redrawn_true": "Accuracy on the examples whose label was redrawn, against "
    "their true labels; empty if there are none.",
    "train_accuracy_untouched": "Accuracy on the examples whose label was not redrawn; empty if "
    "there are none.",
    "test_cross_entropy": "Cross-entropy in nats on the test set's true labels.",
    "test_squared_error": "Squared error, summed over classes, on the test set's true labels.",
    "test_accuracy": "Accuracy on the test set's true labels.",
    "test_noisy_cross_entropy": "Cross-entropy in nats on test labels made as noisy as the "
    "training labels.",
    "test_noisy_squared_error": "Squared error on test labels made as noisy as the training "
    "labels.",
    "test_noisy_accuracy": "Accuracy on test labels made as noisy as the training labels.",
    "validation_cross_entropy": "Cross-entropy in nats on the validation examples' true labels. "
    "This and the next five columns are there only in studies with `data.validation_examples`.",
    "validation_squared_error": "Squared error on the validation examples' true labels.",
    "validation_accuracy": "Accuracy on the validation examples' true labels.",
    "validation_noisy_cross_entropy": "Cross-entropy in nats on the validation examples' labels "
    "as noisy as the training labels.",
    "validation_noisy_squared_error": "Squared error on the validation examples' labels as noisy "
    "as the training labels.",
    "validation_noisy_accuracy": "Accuracy on the validation examples' labels as noisy as the "
    "training labels.",
    "running_cross_entropy": "Mean cross-entropy of the epoch's mini-batches, each before its "
    "step, of the training's own forward pass, with dropout; empty at epoch 0.",
    "running_accuracy": "Mean accuracy of the epoch's mini-batches, each before its step, with "
    "dropout; empty at epoch 0.",
}
OF_ALL = tuple(HISTORY)
for _measure in MEASURES.values():
    HISTORY |= _measure.columns


def run_columns(measures: Sequence[str] = DEFAULT) -> list[str]:
    """Return the columns of ``runs`` for a study with this package's Adam and some measures."""
    return list(dict.fromkeys(["run", *fact_keys(), *RUN, *history_columns(measures)[2:]]))


def history_columns(measures: Sequence[str] = DEFAULT, *, validation: bool = False) -> list[str]:
    """Return the columns of ``history``, on request with those of runs that have a split."""
    own = [name for name in OF_ALL if validation or not name.startswith("validation_")]
    running = [name for name in own if name.startswith("running_")]
    measured = [column for name in measures for column in MEASURES[name].columns]
    return [*(name for name in own if name not in running), *measured, *running]
