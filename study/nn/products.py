"""Matrix products, each computed by the library that is fastest for its shape on this machine.

On a CPU torch can multiply by its BLAS or by oneDNN. On some processors oneDNN takes half the time.
The two round differently, so a study records the route, i.e. the library, of each product.
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

# oneDNN is chosen if it is this many times as fast. With a smaller ratio, noise in the timing could
# change the choice between two runs of a study on one machine, and with it the bits.
WORTH = 1.3
SMALLEST = 5_000_000  # multiplications; smaller products always go by BLAS
EVALUATED_AT_ONCE = 250  # examples; this many and their outputs stay in cache
PURPOSES = ("forward", "weights", "inputs", "evaluation")


def blas(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """Return a @ b^T, with any leading dimensions, by torch's BLAS.

    The factors are [rows, inner] and [columns, inner]. A product may ignore ``out``, a tensor to
    write to, so use the returned tensor.
    """
    product: Tensor = torch.matmul(a, b.mT, out=out)
    return product


def onednn(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """Return a @ b^T of two float32 matrices on a CPU, by oneDNN, in a new tensor."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
    return product


ROUTES: dict[str, Product] = {"blas": blas, "onednn": onednn}


class Shape(NamedTuple):
    """The shape of a product, [rows, inner] by [inner, columns], and its purpose.

    The purpose determines how the factors lie in memory, which matters as much as their size.
    """

    purpose: str
    rows: int
    inner: int
    columns: int

    def __str__(self) -> str:
        return f"{self.purpose} {self.rows}x{self.inner}x{self.columns}"

    def factors(self) -> tuple[Tensor, Tensor]:
        """Return random factors with the memory layout of this purpose."""
        if self.purpose == "weights":
            return torch.rand(self.inner, self.rows).mT, torch.rand(self.inner, self.columns).mT
        if self.purpose == "inputs":
            return torch.rand(self.rows, self.inner), torch.rand(self.inner, self.columns).mT
        return torch.rand(self.rows, self.inner), torch.rand(self.columns, self.inner)


class Layer(NamedTuple):
    """The products of a layer: its outputs, its two gradients, and its outputs in evaluation."""

    forward: Product
    weights: Product
    inputs: Product
    evaluation: Product


def shapes(widths: Sequence[int], batch: int) -> list[Shape]:
    """Return the shapes of a network's products, four for each layer, in the order of `Layer`.

    The first layer's ``inputs``, third in the list, is never computed: images need no gradient.
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
    """Return each layer's products; a product without a given route goes by torch's BLAS."""
    products = [ROUTES[routes.get(str(shape), "blas")] for shape in shapes(widths, batch)]
    return [Layer(*products[first : first + 4]) for first in range(0, len(products), 4)]


def fastest_routes(
    widths: Sequence[int],
    batch: int,
    choice: str = "auto",
    purposes: Sequence[str] = PURPOSES,
) -> dict[str, str]:
    """Return a route for each product of some purposes that is large enough to matter.

    The choice is one route for all products, or ``auto`` to measure each shape once in a process.
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
    """Measure all routes for a shape in turns on one core, and return the route to use."""
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
