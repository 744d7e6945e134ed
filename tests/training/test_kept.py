"""What is kept of networks' answers: of which examples and epochs, and that it can be resumed."""

from __future__ import annotations

import torch
from helpers import quiet_trainer, small_run

from study.runs.progress import PREDICTIONS, Progress
from study.training import kept
from study.training.stack import Stack
from study.training.stack_data import StackData
from study.training.stack_module import StackModule


def trained(
    epochs: int, slot: Progress | None = None, split: int = 0
) -> tuple[Progress, StackData]:
    """Train a small run until it fits most of its labels, for so many epochs at most."""
    facts = {"trainer.max_epochs": 30, "stop.train_accuracy": 0.7, "optimizer.lr": 0.003}
    facts |= {"data.validation_examples": split}
    stack = Stack([slot or Progress(small_run(noise=0.1, **facts))])
    data = StackData(stack)
    module = StackModule(stack, keep_predictions=True)
    quiet_trainer(max_epochs=epochs).fit(module, data)
    return stack.slots[0], data


def test_answers_are_of_fixed_examples_at_each_evaluation_and_of_the_test_set() -> None:
    slot, stack_data = trained(50)
    data = stack_data.tensors(slot)
    rows = kept.rows_of(slot, data)
    train = [row for row in rows if row["part"] == "train"]
    assert [row["epoch"] for row in train] == [row["epoch"] for row in slot.history]
    assert {len(row["said"]) for row in train} == {200}
    assert len(set(train[0]["true_label"])) == 10  # spread over the classes
    assert set(train[0]["example"]) <= set(data.examples.tolist())
    # A row's accuracy on the 200 is the recorded one on all 300, nearly.
    for row, recorded in zip(train, slot.history, strict=True):
        assert abs((row["said"] == row["label"]).mean() - recorded["train_accuracy"]) < 0.1
        assert ((row["label_probability"] > 0.5) <= (row["said"] == row["label"])).all()
    test = {row["at"]: row for row in rows if row["part"] == "test"}
    assert slot.epochs_to_fit == slot.epoch  # it stops when it fits
    assert [test[at]["epoch"] for at in ("last", "fit")] == [slot.epoch] * 2
    accuracy = (test["last"]["said"] == test["last"]["label"]).mean()
    assert accuracy == slot.history[-1]["test_accuracy"]
    pixels = kept.images_of(data)
    image = data.train_images[train[0]["example"][7]]
    assert pixels[7].argmax() in (image == image.max()).nonzero()


def test_predictions_go_on_where_a_checkpoint_left_them() -> None:
    whole, _ = trained(50)
    begun, _ = trained(3)
    assert begun.state is not None
    tensors, resumed = begun.tensors(begun.state), Progress(begun.run)
    resumed.resume(begun.plain(), tensors)
    assert resumed.state is not None
    assert not [name for name in resumed.state if name.startswith(PREDICTIONS)]
    again, _ = trained(50, resumed)
    assert again.predictions.keys() == whole.predictions.keys()
    for name, value in whole.predictions.items():
        assert torch.equal(again.predictions[name], value), name


def test_the_best_epoch_is_the_first_with_the_highest_validation_accuracy() -> None:
    slot = Progress(small_run())
    best = []
    for epoch, accuracy in enumerate([0.1, 0.3, 0.3, 0.2, 0.4]):
        slot.epoch = epoch
        slot.history.append({kept.CHOSEN_BY: accuracy})
        best += [epoch] * (kept.kept_of(slot) == ["best"])
    assert best == [0, 1, 4]
    slot, data = trained(50, split=100)
    rows = {row["at"]: row for row in kept.rows_of(slot, data.tensors(slot))}
    accuracies = [row[kept.CHOSEN_BY] for row in slot.history]
    epoch = accuracies.index(max(accuracies))
    assert rows["best"]["epoch"] == epoch
    right = rows["best"]["said"] == rows["best"]["label"]
    assert right.mean() == slot.history[epoch]["test_accuracy"]
    without = Progress(small_run(), history=[{"train_accuracy": 1.0}])
    assert kept.kept_of(without) == []
