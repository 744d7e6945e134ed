"""Names: what a table has is found, everything else is refused in one line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.base.errors import BadInput
from study.base.names import named

TABLE = {"relu": 1, "tanh": 2, "gelu": 3}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text() | st.sampled_from(sorted(TABLE)))
def test_a_name_is_found_or_refused_in_one_line(name: str) -> None:
    if name in TABLE:
        assert named("activation", name, TABLE) == TABLE[name]
        return
    with pytest.raises(BadInput) as fault:
        named("activation", name, TABLE)
    assert str(fault.value).startswith("activation: expected one of relu, tanh, gelu, found ")
    assert "\n" not in str(fault.value)
    assert fault.value.key == "activation"


@pytest.mark.parametrize(
    ("wrong", "right"), [("rleu", "relu"), ("Tanh", "tanh"), ("gelu ", "gelu")]
)
def test_the_nearest_name_is_suggested(wrong: str, right: str) -> None:
    with pytest.raises(BadInput, match=f"did you mean '{right}'"):
        named("activation", wrong, TABLE)
