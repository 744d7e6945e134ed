"""The batched engine, its CUDA graph and a whole study on a GPU: ``pytest tests/gpu``.

The same tests try the code on a CPU, where nothing is recorded as a graph and no memory is counted.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from fit_cases import compare
from helpers import SMALL

import study
from benchmarks.gpu import checks
from benchmarks.gpu.measuring import Item, Limits, cost
from study.base import streams
from study.fit import main as fit
from study.nn.mlp import StackedMLP
from study.runs.packing import run_bytes
from study.runs.run import Run
from study.training.engine import RowEngine, make_engine
from study.training.engine.graph import EAGER_STEPS
from study.training.engine.neighbours import neighbours_felt
from study.training.examples import epoch_order, sorting_order
from study.training.stack_batch import StackBatch

needs_cuda = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
PRECISIONS = {"float32": 1e-4, "float64": 1e-9}  # how far apart weights may be after 50 steps


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=needs_cuda)])
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(("precision", "bound"), PRECISIONS.items())
def test_the_batched_engine_trains_as_a_plain_loop_on_the_cpu(
    device: str, precision: str, bound: float
) -> None:
    untrained = checks.apart(checks.reference(), checks.train(checks.engine(device, precision), []))
    assert untrained > 100 * bound
    assert checks.from_the_reference(device, precision) < bound


def test_the_row_engine_trains_as_that_loop_too() -> None:
    runs = [checks.run_of(seed, "float64") for seed in range(checks.RUNS)]
    rows = make_engine(StackedMLP(len(runs), runs[0].widths).double(), runs)
    assert isinstance(rows, RowEngine)
    for slot, run in enumerate(runs):
        rows.load(slot, run)
    found = checks.train(rows, checks.batches())
    assert checks.apart(checks.reference(), found) < PRECISIONS["float64"]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_recorded_steps_have_the_bits_of_ordinary_ones(device: str, precision: str) -> None:
    apart, recorded = checks.from_unrecorded_steps(device, precision)
    assert apart == 0
    assert recorded == (device == "cuda")


@pytest.mark.parametrize("runs", [2, 16, 256])
def test_a_run_hardly_feels_a_stack_of_any_size(
    device: str, runs: int, record_property: pytest.RecordProperty
) -> None:
    # Batched products may round otherwise in another number; a study records by how much.
    alike = checks.run_of(0, "float32") if device == "cpu" else Run()
    felt = neighbours_felt(alike, batched=True, device=device, runs=runs)
    record_property("felt", felt)
    assert felt < 1e-5


@pytest.mark.parametrize("precision", PRECISIONS)
def test_runs_that_are_gone_on_with_have_the_bits_of_others(device: str, precision: str) -> None:
    assert checks.from_going_on(device, precision) == 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_steps_do_not_wait_for_the_gpu() -> None:
    made = checks.engine("cuda", "float32")
    images, labels = (part.to("cuda") for part in checks.batches(1)[0])
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(EAGER_STEPS):
            made.steps(StackBatch.of_tensors(images, labels), range(checks.RUNS))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    made.steps(StackBatch.of_tensors(images, labels), range(checks.RUNS))
    (recorded,) = made._recorded.values()
    assert recorded.replay is not None


def test_a_device_orders_examples_as_every_other_does(device: str) -> None:
    words = streams.words(3, "order", 60_000, 7)
    order = streams.permutation(3, "order", 60_000, 7).tolist()
    assert sorting_order(words, torch.device(device)).tolist() == order
    assert epoch_order(3, 60_000, 7, torch.device(device)).tolist() == order


def test_a_study_trains_as_on_a_cpu_and_resumes_to_the_same_bits(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "small.yaml"
    config.write_text(SMALL.replace("seeds: 2", "seeds: 1"))

    def train(name: str, *more: str) -> int:
        return fit(["--config", str(config), "--out", str(tmp_path / name), *more])

    there = ["--trainer.accelerator", {"cpu": "cpu", "cuda": "gpu"}[device]]
    with monkeypatch.context() as patch:
        batched = functools.partial(make_engine, batched=True)
        patch.setattr("study.training.stack_module.make_engine", batched)
        assert train("whole", *there) == 0
        assert (
            train(
                "cut", *there, "--trainer.callbacks", "[{class_path: test_fit_interrupted.Stops}]"
            )
            == 2
        )
        assert train("cut", *there) == 0
    compare(tmp_path / "whole", tmp_path / "cut")
    runs, history = study.load(tmp_path / "whole")
    assert (runs["status"] == "finished").all()
    # Row by row, on the same examples in the same order.
    assert train("cpu", "--trainer.accelerator", "cpu") == 0
    theirs = study.load(tmp_path / "cpu")[1]
    for column in ("train_cross_entropy", "test_cross_entropy", "running_cross_entropy"):
        np.testing.assert_allclose(history[column], theirs[column], rtol=1e-3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_run_takes_the_memory_that_plans_count_on() -> None:
    few, many = (
        cost(Item("study", runs=runs), "cuda", Limits(warm_up=5, block=0.01))["bytes"] * runs
        for runs in (16, 256)
    )
    assert (many - few) / 240 < 2 * run_bytes(Run())
