"""A misspelt name is refused when a method of gradients is built."""

from __future__ import annotations

import pytest

from study.base.errors import BadInput
from study.nn.gradients import METHODS
from study.nn.products import layers


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"activation": "rleu"}, "activation: .*found 'rleu'; did you mean 'relu'?"),
        ({"loss": "crossentropy"}, "loss: .*found 'crossentropy'; did you mean 'cross_entropy'?"),
        ({"backward": "fusd"}, "backward: .*found 'fusd'; did you mean 'fused'?"),
    ],
)
def test_a_misspelt_name_is_refused_when_a_method_is_built(
    method: str, wrong: dict[str, str], complaint: str
) -> None:
    how = {"activation": "relu", "loss": "cross_entropy", "backward": "jacobian", **wrong}
    with pytest.raises(BadInput, match=f"^{complaint}"):
        METHODS[method](layers([3, 2], 4, {}), **how)
