"""The plain module and the stack are two implementations of a run: their weights agree."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import pytorch_lightning as pl
from helpers import quiet_trainer
from torch import Tensor

from study import Run, StackData, StackModule, StudyData, StudyModule
from study.nn.losses import loss_of

EPOCHS = 10  # of 20 batches, the last one smaller
DIVERGED = 2 * math.log(10)  # a loss of twice what a network has that knows nothing
BOUNDS = {"64-true": 1e-9, "32-true": 1e-5}
RUN = {
    "data.dataset": "digits",
    "data.train_examples": 395,
    "data.batch_size": 20,
    "data.label_noise": 0.3,
    "model.hidden": [8, 6],
    "trainer.max_epochs": EPOCHS,
    "evaluate_every": EPOCHS,
}
Facts = Mapping[str, Any]


def optimizer(name: str, **arguments: Any) -> Facts:
    return {"optimizer.class_path": name, **{f"optimizer.{k}": v for k, v in arguments.items()}}


def schedule(name: str, interval: str, **arguments: Any) -> Facts:
    path = f"torch.optim.lr_scheduler.{name}"
    how = {"class_path": path, "init_args": arguments, "interval": interval}
    return {"optimizer.schedule": how}


# A column is a part of training; a value of it is some facts. Every pair of values is tried.
# RMSprop and Adagrad divide by the size of the gradient: with a small eps they act like its sign,
# which no rounding survives.
COLUMNS: dict[str, Sequence[Facts]] = {
    "loss": [{"model.loss": name} for name in ("cross_entropy", "squared_error")],
    "rule": [{"model.backward": r} for r in ("jacobian", "identity", "autograd", "fused")],
    "activation": [{"model.activation": a} for a in ("relu", "tanh", "gelu", "sigmoid")],
    "gradients": [{"model.gradients": name} for name in ("derived", "autograd")],
    "dropout": [{}, {"model.dropout": 0.3}, {"model.dropout": 0.1, "model.input_dropout": 0.2}],
    "schedule": [
        {},
        schedule("ExponentialLR", "epoch", gamma=0.8),
        schedule("CosineAnnealingLR", "step", T_max=200),
    ],
    "smoothing": [{}, {"model.label_smoothing": 0.1}],
    "initial scale": [{}, {"model.init_scale": 2.0}],
    "clipping": [
        {},
        {"trainer.gradient_clip_val": 0.5},
        {"trainer.gradient_clip_val": 0.01, "trainer.gradient_clip_algorithm": "value"},
    ],
    "optimizer": [
        optimizer("study.Adam"),
        optimizer("study.Adam", weight_decay=0.01, decoupled_weight_decay=True, fused=False),
        optimizer("torch.optim.SGD", lr=0.02, momentum=0.9, nesterov=True),
        optimizer("torch.optim.AdamW", lr=0.002),
        optimizer("torch.optim.RMSprop", lr=0.001, eps=1e-3),
        optimizer("torch.optim.Adagrad", lr=0.01, eps=1e-3),
    ],
}


def covering(columns: Mapping[str, Sequence[Facts]]) -> list[dict[str, int]]:
    """Return rows of values, by their places, in which every pair of values occurs."""
    sizes = {name: range(len(values)) for name, values in columns.items()}
    left = {
        frozenset([(a, i), (b, j)])
        for a, b in itertools.combinations(sizes, 2)
        for i in sizes[a]
        for j in sizes[b]
    }
    rows = []
    while left:
        row = dict(sorted(min(left, key=sorted)))
        for name in [each for each in sizes if each not in row]:
            row[name] = max(
                sizes[name],
                key=lambda value, name=name, row=row: sum(  # type: ignore[misc]
                    frozenset([(name, value), other]) in left for other in row.items()
                ),
            )
        left -= {frozenset(pair) for pair in itertools.combinations(row.items(), 2)}
        rows.append(row)
    return rows


ROWS = covering(COLUMNS)


class Weights(pl.Callback):
    """Keeps the weights and the loss after each epoch."""

    def __init__(self) -> None:
        self.after: list[list[Tensor]] = []
        self.losses: list[float] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        rows = module.network.rows(0) if isinstance(module, StackModule) else module.parameters()
        self.after.append([each.detach().clone() for each in rows])
        if isinstance(module, StudyModule):
            data, model = trainer.datamodule.tensors, module.run.model
            z = module(data.train_part(slice(None))).detach()
            self.losses.append(float(loss_of(z, data.labels, model.loss, model.backward)))


def train(module: pl.LightningModule, data: pl.LightningDataModule, precision: str) -> Weights:
    """Train a run to its end either way."""
    weights = Weights()
    flags: dict[str, Any] = {"max_epochs": EPOCHS, "precision": precision, "callbacks": [weights]}
    # Logging takes half of the time.
    quiet_trainer(barebones=isinstance(module, StudyModule), **flags).fit(module, data)
    return weights


def parity(run: Run) -> list[float]:
    """Return by how much the weights differ after each epoch, until the training diverges."""
    plain = train(StudyModule(run), StudyData(run), run.trainer.precision)
    stack = train(StackModule(run), StackData(run), run.trainer.precision)
    differences = []
    for ours, theirs, loss in zip(plain.after, stack.after, plain.losses, strict=False):
        if not loss < DIVERGED:
            break
        pairs = zip(ours, theirs, strict=True)
        differences.append(max(float((a - b).abs().max()) for a, b in pairs))
    return differences


def run_of_row(number: int, precision: str) -> Run:
    """Return the run with a row's values and a seed of its own."""
    facts: dict[str, Any] = {**RUN, "seed": 100 + number, "trainer.precision": precision}
    for name, place in ROWS[number].items():
        facts |= COLUMNS[name][place]
    return Run.of(facts)


def agree(number: int, precision: str) -> None:
    run = run_of_row(number, precision)
    # What diverges in the first epoch is looked at step by step: one batch is an epoch then.
    differences = parity(run) or parity(run.with_settings({"data.train_examples": 20}))
    assert max(differences) <= BOUNDS[precision], differences
    unbounded = run.model.loss == "cross_entropy" and run.model.backward == "identity"
    assert len(differences) >= (2 if unbounded else EPOCHS)


@pytest.mark.parametrize("number", range(0, len(ROWS), 8))
def test_some_settings_train_alike(number: int) -> None:
    agree(number, "64-true")


@pytest.mark.slow
@pytest.mark.parametrize("precision", list(BOUNDS))
@pytest.mark.parametrize("number", range(len(ROWS)))
def test_every_pair_of_settings_trains_alike(number: int, precision: str) -> None:
    agree(number, precision)


def test_every_pair_of_values_has_a_row() -> None:
    for a, b in itertools.combinations(COLUMNS, 2):
        met = {(row[a], row[b]) for row in ROWS}
        assert met == set(itertools.product(range(len(COLUMNS[a])), range(len(COLUMNS[b]))))
