"""What the losses refuse: labels that are none, probabilities for logits, misspelt names."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import jaxtyping
import pytest
import torch
from loss_cases import FUSED, LOSSES, RULES, Loss, batch
from torch.nn import functional

from study.base.errors import BadInput
from study.nn.losses import (
    cross_entropy,
    fused_cross_entropy,
    fused_squared_error,
    gradient_at_logits,
    gradient_at_probabilities,
    loss_of,
    one_hot,
    squared_error,
)

# Double softmax


@pytest.mark.parametrize("loss", FUSED)
@pytest.mark.parametrize("shape", [(1, 2), (7, 10), (3, 7, 10)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_probabilities_are_refused_by_the_fused_losses(
    loss: Loss, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    z, labels = batch(*shape, dtype=dtype)
    for p in (torch.softmax(z, -1), torch.softmax(1e4 * z, -1), one_hot(labels, z)):
        with pytest.raises(ValueError, match="expected logits, found probabilities"):
            loss(p, labels)


@pytest.mark.parametrize("loss", FUSED)
def test_logits_that_merely_resemble_probabilities_are_taken(loss: Loss) -> None:
    z, labels = batch(7, 10)
    p = torch.softmax(z, -1)
    one_row_off = torch.cat([p[:-1], 2 * p[-1:]])
    sums_to_one_with_a_negative = p + torch.tensor([0.5, -0.5] * 5)
    for logits in (z.abs(), p + 0.01, 1.01 * p, one_row_off, sums_to_one_with_a_negative, 0 * p):
        assert loss(logits, labels).isfinite()


# torch's own note that one of its operations is slow here.
@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("loss", FUSED)
def test_fused_losses_work_under_vmap_where_no_value_can_be_looked_at(loss: Loss) -> None:
    z, labels = batch(3, 5, 4)
    found = torch.func.vmap(torch.func.grad(loss))(z, labels)
    for run in range(3):
        leaf = z[run].clone().requires_grad_()
        loss(leaf, labels[run]).backward()
        torch.testing.assert_close(found[run], leaf.grad)


# Labels that are none


@pytest.fixture
def unchecked() -> Any:
    """Switch the tests' own check of signatures off: users have none."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


ON_LOGITS: dict[str, Loss] = {
    "cross_entropy": lambda z, labels: cross_entropy(torch.softmax(z, -1), labels),
    "squared_error": lambda z, labels: squared_error(torch.softmax(z, -1), labels),
    "fused_cross_entropy": fused_cross_entropy,
    "fused_squared_error": fused_squared_error,
    **{
        f"loss_of {loss} {backward}": (
            lambda z, labels, loss=loss, backward=backward: loss_of(z, labels, loss, backward)
        )
        for loss in LOSSES
        for backward in RULES
    },
    **{
        f"gradient at logits of {loss}": (
            lambda z, labels, loss=loss: gradient_at_logits(z, labels, loss, "identity")
        )
        for loss in LOSSES
    },
    **{
        f"gradient at probabilities of {loss}": (
            lambda z, labels, loss=loss: gradient_at_probabilities(z, labels, loss)
        )
        for loss in LOSSES
    },
}
BAD_LABELS = {
    "too few": ([0, 1, 2], r"one for each row, of shape \[4\], found \[3\]"),
    "too many": ([0, 1, 2, 0, 1], r"of shape \[4\], found \[5\]"),
    "one": ([1], r"of shape \[4\], found \[1\]"),
    "none": ([], r"of shape \[4\], found \[0\]"),
    "a column": ([[0], [1], [2], [0]], r"of shape \[4\], found \[4, 1\]"),
    "floats": ([0.0, 1.0, 2.0, 0.0], "whole numbers, found 'torch.float32'"),
    "truth values": ([True, False, True, True], "whole numbers, found 'torch.bool'"),
    "below 0": ([0, -1, 2, 0], "numbers from 0 to 2, found -1"),
    "torch's number for no label": ([0, -100, 2, 0], "numbers from 0 to 2, found -100"),
    "K": ([0, 1, 3, 0], "numbers from 0 to 2, found 3"),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ON_LOGITS)
@pytest.mark.parametrize(("bad", "complaint"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_labels_that_are_none_are_refused(name: str, bad: list[Any], complaint: str) -> None:
    z, _ = batch(4, 3)
    labels = torch.tensor(bad) if bad else torch.zeros(0, dtype=torch.int64)
    with pytest.raises(BadInput, match=f"^labels: expected .*{complaint}"):
        ON_LOGITS[name](z, labels)


@pytest.mark.parametrize(("bad", "_"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_torch_refuses_those_labels_too_or_takes_them_for_no_labels(bad: list[Any], _: str) -> None:
    z, _ = batch(4, 3)
    labels = torch.tensor(bad) if bad else torch.zeros(0, dtype=torch.int64)
    if -100 in bad:
        assert functional.cross_entropy(z, labels, reduction="none")[1] == 0
        return
    with pytest.raises((ValueError, IndexError, RuntimeError)):
        functional.cross_entropy(z, labels)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ON_LOGITS)
def test_labels_of_each_run_are_one_for_each_of_its_rows(name: str) -> None:
    z, labels = batch(2, 4, 3)
    assert ON_LOGITS[name](z, labels).shape[0] == 2
    for bad in (labels[0], labels[:1], labels.mT, labels[:, :3]):
        with pytest.raises(
            BadInput, match=r"^labels: expected one for each row, of shape \[2, 4\]"
        ):
            ON_LOGITS[name](z, bad)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("name", [name for name in ON_LOGITS if "gradient" not in name])
def test_losses_work_under_vmap_and_jacrev_where_labels_cannot_be_looked_at(name: str) -> None:
    z, labels = batch(2, 5, 4)
    loss = ON_LOGITS[name]
    mapped = torch.func.vmap(loss)(z, labels)
    slopes = torch.func.vmap(torch.func.jacrev(loss))(z, labels)
    for run in range(2):
        torch.testing.assert_close(mapped[run], loss(z[run], labels[run]))
        expected = torch.autograd.functional.jacobian(
            lambda z, run=run: loss(z, labels[run]), z[run]
        )
        torch.testing.assert_close(slopes[run], expected)


COMPILED = """
import torch
from study.nn import losses
from study.nn.losses import LOSSES, loss_of
from study.nn.softmax import BACKWARDS

def compared(loss, z, labels):
    torch.compiler.reset()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    found = []
    for function in (loss, compiled):
        leaf = z.clone().requires_grad_()
        value = function(leaf, labels)
        found.append((value, *torch.autograd.grad(value, leaf)))
    torch.testing.assert_close(*found)

z, labels = torch.linspace(-2, 2, 20).view(5, 4), torch.arange(5) % 4
for name in ("fused_cross_entropy", "fused_squared_error"):
    compared(getattr(losses, name), z, labels)
for name in ("cross_entropy", "squared_error"):
    compared(getattr(losses, name), z.softmax(-1), labels)
for loss in LOSSES:
    for backward in BACKWARDS:
        compared(lambda z, labels: loss_of(z, labels, loss, backward), z, labels)
print("compared")
"""


@pytest.mark.slow
def test_losses_are_compiled_as_a_whole() -> None:
    # In a process without the check of signatures, which cannot be traced.
    done = subprocess.run(
        [sys.executable, "-c", COMPILED], capture_output=True, text=True, check=False
    )
    assert done.stdout == "compared\n", done.stderr


# Names, and losses from elsewhere


@pytest.mark.parametrize(
    ("loss", "backward", "complaint"),
    [
        ("crossentropy", "jacobian", "loss: .*'crossentropy'; did you mean 'cross_entropy'?"),
        ("squared_eror", "fused", "loss: .*'squared_eror'; did you mean 'squared_error'?"),
        ("cross_entropy", "jacobain", "backward: .*'jacobain'; did you mean 'jacobian'?"),
        ("squared_error", "fuse", "backward: .*'fuse'; did you mean 'fused'?"),
        ("mse", "fused", "loss: expected one of cross_entropy, squared_error, .*found 'mse'"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_nearest(
    loss: str, backward: str, complaint: str
) -> None:
    z, labels = batch(4, 3)
    for function in (loss_of, gradient_at_logits):
        with pytest.raises(BadInput, match=f"^{complaint}"):
            function(z, labels, loss, backward)
    if complaint.startswith("loss"):
        with pytest.raises(BadInput, match=f"^{complaint}"):
            gradient_at_probabilities(z, labels, loss)
