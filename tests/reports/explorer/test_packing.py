"""Packed numbers come back as float16, and equal ones give equal texts."""

from __future__ import annotations

import hypothesis.extra.numpy as arrays
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from reports.explorer.packing import LARGEST, packed_numbers, unpacked_numbers

numbers = arrays.arrays(
    np.float64, arrays.array_shapes(max_dims=3), elements=st.floats(width=64, allow_nan=True)
)


@given(numbers)
def test_numbers_come_back_to_the_precision_of_float16(values: NDArray[np.float64]) -> None:
    with np.errstate(all="ignore"):
        wanted = np.clip(values, -LARGEST, LARGEST).astype(np.float16).ravel()
    np.testing.assert_array_equal(unpacked_numbers(packed_numbers(values)), wanted)


def test_equal_numbers_give_equal_texts() -> None:
    values = np.linspace(0, 3, 500)
    assert packed_numbers(values) == packed_numbers(values.copy())
