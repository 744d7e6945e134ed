"""Small stacks that the tests of engines train, and comparisons of what they leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from hypothesis import strategies as st
from torch import Tensor

from study.nn.mlp import ACTIVATIONS, StackedMLP, aligned_stack
from study.nn.products import available, shapes
from study.runs.run import Run
from study.runs.settings import Data, Model, Optimizer, Trainer
from study.training.engine import Engine, make_engine
from study.training.stack_batch import StackBatch

BACKWARDS = ["jacobian", "identity", "autograd", "fused"]
LOSSES = ["cross_entropy", "squared_error"]
SGD = Optimizer("torch.optim.SGD", {"lr": 0.1, "momentum": 0.9})
STEPS = 3


def step(
    engine: Engine, images: Tensor, labels: Tensor, training: Sequence[int], number: int = 0
) -> Tensor:
    """Take one step of some slots, and return all slots' losses."""
    running = engine.steps(StackBatch.of_tensors(images, labels, number), training)
    return running[0] / running[2]


class Problem(NamedTuple):
    """What every run of a stack shares; its images and labels are a function of its seed."""

    widths: Sequence[int] = (7, 5, 3)
    batch: int = 4
    model: Model = Model()
    optimizer: Optimizer = Optimizer()
    trainer: Trainer = Trainer()
    batched: bool = False
    route: str = "blas"
    own: Mapping[int, dict[str, Any]] = {}  # facts of single seeds

    def run(self, seed: int) -> Run:
        """Return the run of a seed."""
        shared = {"model": self.model, "optimizer": self.optimizer, "trainer": self.trainer}
        facts = {**shared, **self.own.get(seed, {})}
        return Run(seed=seed, data=Data(batch_size=self.batch), **facts)

    def engine(self, seeds: Sequence[int], dtype: torch.dtype = torch.float32) -> Engine:
        """Return an engine with a run for each seed."""
        network = StackedMLP(len(seeds), self.widths, self.model.activation).to(dtype)
        engine = make_engine(
            network,
            [self.run(seed) for seed in seeds],
            batched=self.batched,
            routes={str(shape): self.route for shape in shapes(self.widths, self.batch)},
        )
        for slot, seed in enumerate(seeds):
            engine.load(slot, self.run(seed))
        return engine

    def data(self, seeds: Sequence[int], number: int) -> tuple[Tensor, Tensor]:
        """Return a step's batches, images aligned as a study's data are."""
        images = aligned_stack(len(seeds), (self.batch, self.widths[0]))
        labels = []
        for slot, seed in enumerate(seeds):
            generator = torch.Generator().manual_seed(1000 * seed + number)
            images[slot] = torch.rand(self.batch, self.widths[0], generator=generator)
            labels.append(torch.randint(self.widths[-1], (self.batch,), generator=generator))
        return images, torch.stack(labels)

    def train(self, seeds: Sequence[int], steps: int = STEPS) -> Engine:
        """Train a run for each seed."""
        engine = self.engine(seeds)
        for number in range(steps):
            step(engine, *self.data(seeds, number), range(len(seeds)), number)
        return engine


def same_bits(engine: Engine, slot: int, other: Engine, other_slot: int) -> bool:
    """Tell whether two slots hold the same weights and optimizer state."""
    a, b = engine.save(slot), other.save(other_slot)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


size = st.integers(1, 40)
odd_problems = st.builds(
    lambda first, hidden, last, *others, route: Problem(
        [first, *hidden, last], *others, route=route
    ),
    size,
    st.lists(size, max_size=3),
    st.integers(2, 12),
    st.integers(1, 70),
    st.builds(
        Model,
        activation=st.sampled_from(sorted(ACTIVATIONS)),
        loss=st.sampled_from(LOSSES),
        backward=st.sampled_from(BACKWARDS),
        gradients=st.sampled_from(["derived", "autograd"]),
    ),
    st.sampled_from([Optimizer(), SGD]),
    route=st.sampled_from(available()),
)

# Batched products, a GPU's way


def relative(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    """Return the largest difference, relative to the largest element."""
    scale = max(float(tensor.abs().max()) for tensor in b)
    return max(float((x - y).abs().max()) for x, y in zip(a, b, strict=True)) / scale
