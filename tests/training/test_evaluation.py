"""Exact evaluation, and the short look that tells whether a run has fitted."""

from __future__ import annotations

import functools

import pytest
import torch
from helpers import small_run
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from study.base.streams import Stream
from study.measures import MEASURES
from study.measures.network import MeasuredNetwork, Network
from study.records.columns import history_columns
from study.training.evaluation import FitCheck, evaluate
from study.training.stack import Stack
from study.training.stack_data import RunTensors, StackData


@functools.cache
def tensors(examples: int = 300) -> RunTensors:
    """Return a small run's data."""
    stack = Stack.of([small_run(noise=0.5, **{"data.train_examples": examples})])
    return StackData(stack).tensors(stack.slots[0])


def probe(network: Network, data: RunTensors, backward: str) -> dict[str, float]:
    """Return the measure that every study takes unless told otherwise."""
    measured = MeasuredNetwork(network, [], list, "cross_entropy", backward)
    return MEASURES["gradient_probe"](measured, data, Stream(0, "measure/gradient_probe"))


class Knows:
    """Answers every image rightly but for some of those trained on, and counts what it is shown."""

    def __init__(self, data: RunTensors, wrong: set[int]) -> None:
        self.answers = {}
        images = data.train_part(slice(None))
        for at, (image, label) in enumerate(zip(images, data.labels.tolist(), strict=True)):
            self.answers[image.numpy().tobytes()] = (label + (at in wrong)) % 10
        self.shown = 0

    def __call__(self, images: Tensor) -> Tensor:
        self.shown += len(images)
        answers = [self.answers.get(image.numpy().tobytes(), 0) for image in images]
        return torch.nn.functional.one_hot(torch.tensor(answers), 10).float()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.sets(st.integers(0, 299), max_size=40), st.sampled_from([1.0, 0.99, 0.9]), st.booleans())
def test_the_check_says_what_a_whole_evaluation_would(
    wrong: set[int], accuracy: float, exactly: bool
) -> None:
    data = tensors()
    if exactly:  # at the boundary
        accuracy = (300 - len(wrong)) / 300
    found = evaluate(Knows(data, wrong), data)["train_accuracy"]
    assert found == (300 - len(wrong)) / 300
    assert FitCheck()(Knows(data, wrong), data, accuracy) == (found >= accuracy)


def test_the_check_looks_no_further_than_it_has_to_and_first_at_what_was_wrong_before() -> None:
    data = tensors(1400)
    for wrong, shown, again in (({3}, 100, 100), ({300}, 600, 1), ({1300}, 1500, 1)):
        check, network = FitCheck(), Knows(data, wrong)
        assert not check(network, data, 1.0)
        assert network.shown == shown
        assert not check(network, data, 1.0)
        assert network.shown == shown + again
        assert check(Knows(data, set()), data, 1.0)


def test_a_rounding_difference_does_not_make_an_example_wrong_at_first_sight() -> None:
    data = tensors(500)
    knows = Knows(data, set())

    def rounded(images: Tensor) -> Tensor:
        z = knows(images)
        # The short look finds another answer level with the right one, up to rounding.
        return z if len(images) > 100 else z + 1.000001 * z.roll(1, -1)

    assert FitCheck()(rounded, data, 1.0)


# What reaches the logits


def test_the_probe_is_of_a_fixed_batch_of_training_examples() -> None:
    data = tensors(250)
    found = probe(lambda images: torch.zeros(len(images), 10), data, "identity")
    # At p = 1/10 each of 100 examples has g = -10/100 at its label, and exactly (p - y)/100.
    assert found == pytest.approx(
        {
            "gradient_norm": 1.0,
            "gradient_exact_norm": 0.1 * 0.9**0.5,
            "gradient_exact_cosine": 0.9**0.5,
            "gradient_zero_share": 0.0,
            "gradient_largest_g": 0.1,
            "gradient_exact_largest_g": 0.1,
            "gradient_autograd_distance": ((9.1**2 + 9 * 0.1**2) / 0.9) ** 0.5,
        },
        rel=1e-6,
    )


def test_redrawn_examples_are_also_held_to_their_true_labels() -> None:
    data = tensors()
    assert 0 < int(data.redrawn.sum()) < 300
    row = evaluate(Knows(data, set()), data)
    # Who knows the labels trained on is right on a redrawn example's true label where they agree.
    agree = (data.labels == data.true_labels)[data.redrawn].double().mean().item()
    assert row["train_accuracy_redrawn"] == row["train_accuracy_untouched"] == 1
    assert row["train_accuracy_redrawn_true"] == pytest.approx(agree)


@pytest.mark.parametrize("split", [0, 200])
def test_rows_have_the_columns_that_are_documented(split: int) -> None:
    stack = Stack.of([small_run(noise=0.5, **{"data.validation_examples": split})])
    data = StackData(stack).tensors(stack.slots[0])
    network = Knows(data, set())
    row = evaluate(network, data) | probe(network, data, "jacobian")
    documented = set(history_columns(validation=split > 0)) - {"run", "epoch"}
    assert set(row) == {name for name in documented if not name.startswith("running_")}
