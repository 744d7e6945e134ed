"""Answers are what the network says, and pixels keep the order of brightness."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from study.measures.predictions import answers, pixels


def test_answers_are_the_likeliest_class_and_its_probability() -> None:
    z = torch.tensor([[0.0, 1.0, 0.0], [2.0, 0.0, 0.0]])
    found = answers(lambda images: z, z, torch.tensor([2, 0]), torch.tensor([1, 0]))
    assert [(row["label"], row["true_label"], row["said"]) for row in found] == [
        (2, 1, 1),
        (0, 0, 0),
    ]
    expected = [np.e / (np.e + 2), np.e**2 / (np.e**2 + 2)]
    assert [row["confidence"] for row in found] == pytest.approx(expected, rel=1e-6)


def test_pixels_go_from_the_darkest_to_the_brightest_of_all() -> None:
    assert pixels(torch.tensor([[-1.0, 0.0], [1.0, 3.0]])).tolist() == [[0, 64], [128, 255]]
    assert pixels(torch.ones(2, 3)).tolist() == [[0, 0, 0]] * 2
