"""Settings made in Python are checked as configs are."""

from __future__ import annotations

from typing import Any

import pytest

from study.base.errors import BadInput
from study.runs.settings import Data


@pytest.mark.parametrize("value", [True, "1", None, [1], 1 + 2j, float("nan"), float("-inf")])
def test_settings_made_in_python_are_checked_like_configs(value: Any) -> None:
    with pytest.raises(BadInput, match="label_noise: expected a probability"):
        Data(label_noise=value)
    with pytest.raises(BadInput, match="batch_size: expected a whole number"):
        Data(batch_size=value)


def test_whole_numbers_become_real_where_reals_are_declared() -> None:
    data = Data(label_noise=1)
    assert type(data.label_noise) is float
    assert data == Data(label_noise=1.0)
