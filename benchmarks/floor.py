"""A lower bound: only a training step's matrix products, by the fastest route, on all cores."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch
from torch import Tensor

from benchmarks.common import BATCH, EXAMPLES, Timing, Workload

STEPS = 100

Pair = tuple[Tensor, Tensor]
Route = Callable[[Tensor, Tensor], Tensor]


def _mkl(a: Tensor, b: Tensor) -> Tensor:
    return torch.mm(a, b)


def _onednn(a: Tensor, b: Tensor) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b.T, None, "none", [], "")
    return product


def products(workload: Workload, epochs: int) -> Timing:
    """Time the products of one run's steps on each core; no training, so no accuracy."""
    pairs = []
    for number, (inputs, outputs) in enumerate(itertools.pairwise(workload.widths)):
        x, weight = torch.rand(BATCH, inputs), torch.rand(outputs, inputs)
        delta = torch.rand(BATCH, outputs)
        pairs += [(x, weight.T), (delta.T, x)]
        pairs += [(delta, weight)] if number else []  # the images need no gradient
    step = [(min((_mkl, _onednn), key=partial(_fastest, pair)), pair) for pair in pairs]
    cores = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(_steps, [step] * cores))
        began = time.perf_counter()
        for _ in range(epochs):
            list(pool.map(_steps, [step] * cores))
        seconds = (time.perf_counter() - began) / epochs
    return Timing(seconds / cores / STEPS * EXAMPLES / BATCH, float("nan"))


def _steps(step: Sequence[tuple[Route, Pair]]) -> None:
    for _ in range(STEPS):
        for route, pair in step:
            route(*pair)


def _fastest(pair: Pair, route: Route) -> float:
    times = []
    for _ in range(20):
        began = time.perf_counter()
        route(*pair)
        times.append(time.perf_counter() - began)
    return min(times)
