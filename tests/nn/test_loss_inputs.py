"""Checks of a loss's arguments, wherever values can be read and wherever they cannot."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from study.base.errors import BadInput
from study.nn.loss_inputs import refuse_labels, refuse_probabilities

some = settings(max_examples=100, deadline=None, derandomize=True)


@some
@given(labels=st.lists(st.integers(-3, 6), max_size=5), classes=st.integers(1, 5))
def test_labels_are_refused_if_and_only_if_one_is_not_a_class(
    labels: list[int], classes: int
) -> None:
    given_, scores = torch.tensor(labels, dtype=torch.int64), torch.zeros(len(labels), classes)
    wrong = [label for label in labels if not 0 <= label < classes]
    if not wrong:
        refuse_labels(given_, scores)
        return
    with pytest.raises(BadInput, match=f"from 0 to {classes - 1}, found {wrong[0]}$"):
        refuse_labels(given_, scores)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_labels_of_any_whole_type_are_taken(dtype: torch.dtype) -> None:
    refuse_labels(torch.tensor([0, 2], dtype=dtype), torch.zeros(2, 3))


def test_a_single_row_has_a_single_label() -> None:
    refuse_labels(torch.tensor(2), torch.zeros(3))
    with pytest.raises(BadInput, match=r"of shape \[\], found \[1\]"):
        refuse_labels(torch.tensor([2]), torch.zeros(3))


def test_tensors_without_values_are_taken() -> None:
    refuse_labels(
        torch.zeros(2, dtype=torch.int64, device="meta"), torch.zeros(2, 3, device="meta")
    )
    refuse_probabilities(torch.zeros(2, 3, device="meta"))


def test_shapes_are_checked_where_values_cannot_be_read() -> None:
    def check(labels: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        refuse_labels(labels, scores)
        return scores

    scores = torch.zeros(2, 4, 3)
    torch.func.vmap(check)(torch.full((2, 4), 9), scores)
    with pytest.raises(BadInput, match=r"of shape \[4\], found \[5\]"):
        torch.func.vmap(check)(torch.zeros(2, 5, dtype=torch.int64), scores)
