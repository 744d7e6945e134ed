"""Steps recorded as a CUDA graph: on a CPU, with a graph that replays by calling again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from study.nn.mlp import StackedMLP
from study.runs.run import Run
from study.runs.settings import Data, Model, Optimizer, Trainer
from study.training.engine import BatchedEngine, batched, make_engine
from study.training.engine.graph import EAGER_STEPS, can_record
from study.training.optimizers import RunOptimizer
from study.training.stack_batch import StackBatch

WIDTHS, RUNS, BATCH = (7, 5, 3), 3, 4
CPU = torch.device("cpu")
ADAM = Optimizer()


class FakeGraph:
    """Keeps what a recorded step does; counts replays."""

    replays = 0
    again: Callable[[], None]

    def replay(self) -> None:
        """Do what was recorded, into the tensors it wrote then."""
        FakeGraph.replays += 1
        self.again()


@pytest.fixture
def device_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an engine on a CPU believe that its steps can be recorded, and a graph replay them.

    Recording on a device takes no step: here weights and optimizer state are put back after it.
    """
    FakeGraph.replays = 0
    engines: list[BatchedEngine] = []
    init = BatchedEngine.__init__

    def remember(self: BatchedEngine, *arguments: Any) -> None:
        init(self, *arguments)
        engines.append(self)

    @contextlib.contextmanager
    def record(graph: FakeGraph) -> Iterator[None]:
        engine = engines[-1]
        rows = [row for slot in engine.rows for row in slot]
        states = [state for each in engine.optimizers for state in each.optimizer.state.values()]
        kept = [engine._sums, *rows, *(tensor for state in states for tensor in state.values())]
        before = [tensor.clone() for tensor in kept]
        yield
        for tensor, value in zip(kept, before, strict=True):
            tensor.copy_(value)
        (recorded,) = engine._recorded.values()

        def again() -> None:
            recorded.step(*recorded.batch)

        graph.again = again

    monkeypatch.setattr(BatchedEngine, "__init__", remember)
    cuda = torch.device("cuda")
    monkeypatch.setattr(batched, "can_record", lambda _, *each: can_record(cuda, *each))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", record)


def run(seed: int, optimizer: Optimizer = ADAM) -> Run:
    """Return a run whose every step has masks of its own."""
    model = Model(dropout=0.5, input_dropout=0.2)
    return Run(seed=seed, data=Data(batch_size=BATCH), model=model, optimizer=optimizer)


def engine(optimizer: Optimizer = ADAM) -> BatchedEngine:
    """Return an engine whose runs have their first weights."""
    runs = [run(seed, optimizer) for seed in range(RUNS)]
    made = make_engine(StackedMLP(RUNS, WIDTHS), runs, batched=True)
    assert isinstance(made, BatchedEngine)
    for slot, each in enumerate(runs):
        made.load(slot, each)
    return made


def data(number: int, size: int = BATCH) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(number)
    images = torch.rand(RUNS, size, WIDTHS[0], generator=generator)
    return images, torch.randint(WIDTHS[-1], (RUNS, size), generator=generator)


def train(made: BatchedEngine, steps: list[tuple[tuple[Tensor, Tensor], list[int]]]) -> list[Any]:
    """Take steps and return what each says, and the weights after all."""
    batches = [
        (StackBatch.of_tensors(*batch, n), training) for n, (batch, training) in enumerate(steps)
    ]
    said = [made.steps(batch, training) for batch, training in batches]
    sums = [each.tolist() for each in said]
    return [sums, [[row.tolist() for row in rows] for rows in made.rows]]


@pytest.mark.usefixtures("device_records")
def test_recorded_steps_are_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    everyone = list(range(RUNS))
    steps = [(data(number), everyone) for number in range(8)]
    steps.append((data(8, size=2), everyone))  # a last batch that is smaller
    steps += [(data(number), everyone) for number in range(9, 12)]
    steps += [(data(number), [0, 2]) for number in range(12, 19)]  # a run has ended
    found = train(engine(), steps)
    replays = FakeGraph.replays
    monkeypatch.setattr(batched, "can_record", lambda *_: False)
    assert train(engine(), steps) == found
    assert replays == (11 - EAGER_STEPS) + (7 - EAGER_STEPS)


@pytest.mark.usefixtures("device_records")
def test_a_run_that_is_loaded_is_not_trained_by_an_old_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def both_halves() -> list[Any]:
        made = engine()
        first = train(made, [(data(number), [0, 1, 2]) for number in range(6)])
        made.load(1, run(9))
        return [first, train(made, [(data(number), [0, 1, 2]) for number in range(6, 12)])]

    found = both_halves()
    assert FakeGraph.replays == 2 * (6 - EAGER_STEPS)
    monkeypatch.setattr(batched, "can_record", lambda *_: False)
    assert both_halves() == found


@pytest.mark.usefixtures("device_records")
def test_where_recording_fails_steps_go_on_with_one_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @contextlib.contextmanager
    def fails(graph: FakeGraph) -> Iterator[None]:
        raise RuntimeError("operation not permitted when stream is capturing")
        yield

    monkeypatch.setattr(torch.cuda, "graph", fails)
    steps = [(data(number), [0, 1, 2]) for number in range(7)]
    with pytest.warns(UserWarning, match="not recorded as a CUDA graph") as warned:
        found = train(engine(), steps)
    assert len(warned) == 1
    monkeypatch.setattr(batched, "can_record", lambda *_: False)
    assert train(engine(), steps) == found


@pytest.mark.usefixtures("device_records")
@pytest.mark.parametrize("interval", ["epoch", "step"])
def test_a_learning_rate_that_changes_is_never_that_of_an_old_record(
    interval: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = {"class_path": "torch.optim.lr_scheduler.StepLR", "interval": interval}
    settings = Optimizer(schedule={**schedule, "init_args": {"step_size": 2}})

    def three_epochs() -> list[Any]:
        made, said = engine(settings), []
        for epoch in range(3):
            numbers = range(6 * epoch, 6 * epoch + 6)
            said.append(train(made, [(data(number), [0, 1, 2]) for number in numbers]))
            made.end_epoch([0, 1, 2])
        return said

    found = three_epochs()
    # One record serves two epochs with one learning rate; the third epoch has another.
    replays = (12 - EAGER_STEPS) + (6 - EAGER_STEPS)
    assert FakeGraph.replays == (replays if interval == "epoch" else 0)
    monkeypatch.setattr(batched, "can_record", lambda *_: False)
    assert three_epochs() == found


@pytest.mark.parametrize(
    ("facts", "records"),
    [
        ({}, True),
        ({"model.dropout": 0.5}, True),
        ({"model.gradients": "autograd"}, False),
        ({"optimizer": {"fused": False}}, False),
        ({"optimizer": {"class_path": "torch.optim.SGD"}}, False),
        ({"optimizer": {"class_path": "torch.optim.Adam"}}, False),
        ({"optimizer": {"class_path": "torch.optim.Adam", "fused": True}}, False),
        ({"optimizer": {"class_path": "torch.optim.Adam", "capturable": True}}, True),
    ],
)
def test_only_kernels_on_a_cuda_device_are_recorded(facts: dict[str, Any], records: bool) -> None:
    run = Run.of(facts)
    optimizer = RunOptimizer(run.optimizer, [torch.zeros(1)])
    assert can_record(torch.device("cuda"), run, optimizer) == records
    assert not can_record(CPU, run, optimizer)


@pytest.mark.parametrize(
    ("activation", "loss", "backward", "clip"),
    [
        ("relu", "cross_entropy", "jacobian", "norm"),
        ("tanh", "squared_error", "identity", "value"),
        ("gelu", "cross_entropy", "fused", None),
        ("sigmoid", "squared_error", "autograd", None),
    ],
)
def test_a_step_mixes_no_devices_and_waits_for_no_value(
    activation: str, loss: str, backward: str, clip: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Fake tensors say that they lie on a GPU: they refuse others' company, and have no values.
    facts = {"activation": activation, "loss": loss, "backward": backward, "dropout": 0.5}
    model = Model(hidden=WIDTHS[1:-1], input_dropout=0.2, label_smoothing=0.1, **facts)
    bound = {"gradient_clip_val": 1.0, "gradient_clip_algorithm": clip} if clip else {}
    run = Run(data=Data(batch_size=BATCH), model=model, trainer=Trainer(**bound))
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cuda"):
        made = make_engine(StackedMLP(RUNS, WIDTHS, activation), [run] * RUNS)
        assert isinstance(made, BatchedEngine)
        monkeypatch.setattr(made, "_step", made._take)  # nothing can record fake tensors
        images, order = torch.zeros(20, WIDTHS[0]), torch.zeros(10, dtype=torch.int64)
        epoch = dict.fromkeys(range(RUNS), (images, order, order, 0))
        batch = StackBatch(epoch, torch.zeros(RUNS, BATCH, WIDTHS[0]), slice(0, 10))
        assert made.steps(batch, range(RUNS)).device.type == "cuda"
        monkeypatch.setattr(made, "finish", lambda slots: made.gradients[0].sum().item())
        with pytest.raises(DataDependentOutputException):
            made.steps(batch, range(RUNS))
        monkeypatch.setattr(made, "finish", lambda slots: images + torch.ones(1, device="cpu"))
        with pytest.raises(RuntimeError, match="cpu"):
            made.steps(batch, range(RUNS))
