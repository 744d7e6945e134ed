"""Matrix products by the fastest route that a machine has for their shape.

On a CPU torch multiplies by its BLAS, or by oneDNN, which on some processors takes half the time.
The two round differently: a study records which one each product took.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Product = Callable[[Tensor, Tensor, Tensor | None], Tensor]

# Below that, clocks and neighbours would decide, and a study repeated here have other bits.
WORTH = 1.3  # times as fast
SMALLEST = 5_000_000  # multiplications below which no route is worth choosing
EVALUATED_AT_ONCE = 250  # examples, so that a part and its outputs stay in cache
PURPOSES = ("forward", "weights", "inputs", "evaluation")


def blas(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """Return a @ b^T, with any leading dimensions, by torch's BLAS.

    Parameters
    ----------
    a, b
        Factors, [rows, inner] and [columns, inner].
    out
        Where to write; may be ignored, so use what is returned.
    """
    product: Tensor = torch.matmul(a, b.mT, out=out)
    return product


def onednn(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """Return a @ b^T of two float32 matrices on a CPU, by oneDNN.

    Parameters
    ----------
    a, b
        Factors, [rows, inner] and [columns, inner].
    out
        Not used.
    """
    product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
    return product


ROUTES: dict[str, Product] = {"blas": blas, "onednn": onednn}


class Shape(NamedTuple):
    """What a product multiplies: [rows, inner] by [inner, columns], and what for.

    The purpose says how the factors lie in memory, which decides as much as their size.
    """

    purpose: str
    rows: int
    inner: int
    columns: int

    def __str__(self) -> str:
        return f"{self.purpose} {self.rows}x{self.inner}x{self.columns}"

    def factors(self) -> tuple[Tensor, Tensor]:
        """Return random factors that lie in memory as this purpose's do."""
        if self.purpose == "weights":
            return torch.rand(self.inner, self.rows).mT, torch.rand(self.inner, self.columns).mT
        if self.purpose == "inputs":
            return torch.rand(self.rows, self.inner), torch.rand(self.inner, self.columns).mT
        return torch.rand(self.rows, self.inner), torch.rand(self.columns, self.inner)


class Layer(NamedTuple):
    """The products of one layer: outputs, the two gradients, and outputs of many examples."""

    forward: Product
    weights: Product
    inputs: Product
    evaluation: Product


def shapes(widths: Sequence[int], batch: int) -> list[Shape]:
    """Return the shapes of a network's products, four a layer, as `Layer` has them.

    The third, the first layer's ``inputs``, is never computed: images need no gradient.
    """
    return [
        shape
        for inputs, outputs in itertools.pairwise(widths)
        for shape in (
            Shape("forward", batch, inputs, outputs),
            Shape("weights", outputs, batch, inputs),
            Shape("inputs", batch, outputs, inputs),
            Shape("evaluation", EVALUATED_AT_ONCE, inputs, outputs),
        )
    ]


def layers(widths: Sequence[int], batch: int, routes: Mapping[str, str]) -> list[Layer]:
    """Return each layer's products; those without a route of their own go by torch's BLAS."""
    products = [ROUTES[routes.get(str(shape), "blas")] for shape in shapes(widths, batch)]
    return [Layer(*products[first : first + 4]) for first in range(0, len(products), 4)]


def fastest_routes(
    widths: Sequence[int],
    batch: int,
    choice: str = "auto",
    purposes: Sequence[str] = PURPOSES,
) -> dict[str, str]:
    """Return a route for each product that is large enough to matter.

    Parameters
    ----------
    widths, batch
        The network's layers and the size of a mini-batch.
    choice
        A route for them all, or ``auto``: measured here, once a process.
    purposes
        Which products are asked about.
    """
    everything = shapes(widths, batch)
    large = {
        shape
        for shape in everything[:2] + everything[3:]
        if shape.purpose in purposes and shape.rows * shape.inner * shape.columns >= SMALLEST
    }
    return {str(shape): _fastest(shape) if choice == "auto" else choice for shape in sorted(large)}


@functools.cache
def available() -> tuple[str, ...]:
    """Return the routes that this build of torch has."""
    try:
        onednn(torch.ones(2, 2), torch.ones(2, 2))
    except (AttributeError, RuntimeError, NotImplementedError):
        return ("blas",)
    return tuple(ROUTES)


@functools.cache
def _fastest(shape: Shape) -> str:
    """Measure a shape's routes in turns, on one core, and return the one to take."""
    factors = shape.factors()
    best = dict.fromkeys(available(), float("inf"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        began = time.perf_counter()
        for turn in itertools.count():
            if turn >= 3 and time.perf_counter() - began > 0.02:
                break
            for name in best:
                start = time.perf_counter()
                ROUTES[name](*factors, None)
                best[name] = min(best[name], time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    fastest = min(best, key=best.__getitem__)
    return fastest if best[fastest] * WORTH < best["blas"] else "blas"
