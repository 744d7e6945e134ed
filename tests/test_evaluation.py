"""Exact evaluation, and the short look that tells whether a run has fitted."""

from __future__ import annotations

import torch
from helpers import small_run
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from study.data.module import RunTensors, StudyData
from study.evaluation import FitCheck, evaluate
from study.stack import Stack


def tensors(examples: int = 300) -> RunTensors:
    """Return a small run's data."""
    stack = Stack.of([small_run(noise=0.5, **{"data.train_examples": examples})])
    return StudyData(stack).tensors(stack.slots[0])


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
