"""The training steps of a stack: every run's gradients, clipped alone, and its update.

Two ways behind one interface, `Engine`. On a CPU the cache decides: runs go one after another, each
on a core of its own (`rows`). On a GPU launches decide: all runs go at once as batched products
(`batched`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from study.nn import products
from study.nn.mlp import StackedMLP
from study.runs.run import Run
from study.training.engine.base import Engine, Running
from study.training.engine.batched import BatchedEngine
from study.training.engine.rows import RowEngine

__all__ = ["BatchedEngine", "Engine", "RowEngine", "Running", "chosen_routes", "make_engine"]


def make_engine(
    network: StackedMLP,
    runs: Sequence[Run],
    *,
    batched: bool | None = None,
    routes: Mapping[str, str] | None = None,
) -> Engine:
    """Return the engine for the networks of a stack, on the device they are trained on.

    Parameters
    ----------
    network, runs
        As of `Engine`.
    batched
        Take all runs at once; by default on anything but a CPU.
    routes
        As `chosen_routes` gives them; by default all large products go by torch's BLAS.
    """
    if batched is None:
        batched = network.weights[0].device.type != "cpu"
    return BatchedEngine(network, runs) if batched else RowEngine(network, runs, routes or {})


def chosen_routes(run: Run, choice: str = "auto") -> dict[str, str]:
    """Return how a run's large products, and those of its program, are computed on this CPU.

    The choice is ``auto``, the fastest by measurement, or a route of `study.nn.products` for all.
    """
    if run.trainer.precision != "32-true":
        return {}
    purposes = ("evaluation",) if run.model.gradients == "autograd" else products.PURPOSES
    return products.fastest_routes(run.widths, run.data.batch_size, choice, purposes)
