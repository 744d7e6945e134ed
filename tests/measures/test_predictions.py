"""Answers are what the network says, and pixels keep the order of brightness."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from study.measures.predictions import answers, pixels

Z = torch.tensor([[0.0, 1.0, 0.0], [2.0, 0.0, 0.0]])


def test_answers_are_the_likeliest_class_with_a_probability() -> None:
    said, confidence = answers(Z)
    assert (said.tolist(), said.dtype) == ([1, 0], torch.uint8)
    expected = [np.e / (np.e + 2), np.e**2 / (np.e**2 + 2)]
    assert confidence.tolist() == pytest.approx(expected, rel=2**-11)  # float16
    said, of_label = answers(Z, torch.tensor([2, 0]))
    assert said.tolist() == [1, 0]
    assert of_label.tolist() == pytest.approx([1 / (np.e + 2), expected[1]], rel=2**-11)


def test_more_than_256_answers_take_more_than_a_byte() -> None:
    said, _ = answers(torch.nn.functional.one_hot(torch.tensor([299]), 300).float())
    assert said.tolist() == [299]


def test_pixels_go_from_the_darkest_to_the_brightest_of_all() -> None:
    assert pixels(torch.tensor([[-1.0, 0.0], [1.0, 3.0]])).tolist() == [[0, 64], [128, 255]]
    assert pixels(torch.ones(2, 3)).tolist() == [[0, 0, 0]] * 2
