"""Routes of a product: all compute it, and the fastest is taken where that is worth it."""

from __future__ import annotations

import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from study.nn import products
from study.nn.products import PURPOSES, ROUTES, Shape, available, fastest_routes, layers, shapes

needs_onednn = pytest.mark.skipif("onednn" not in available(), reason="torch without oneDNN")


@needs_onednn
@pytest.mark.parametrize("route", sorted(ROUTES))
@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.builds(Shape, st.sampled_from(PURPOSES), *[st.integers(1, 70)] * 3), st.integers(0, 2**32)
)
def test_every_route_computes_a_times_b_transposed(route: str, shape: Shape, seed: int) -> None:
    torch.manual_seed(seed)
    a, b = shape.factors()
    assert a.shape == (shape.rows, shape.inner)
    assert b.shape == (shape.columns, shape.inner)
    found = ROUTES[route](a, b, torch.full((shape.rows, shape.columns), torch.nan))
    torch.testing.assert_close(found.double(), a.double() @ b.double().T, rtol=1e-5, atol=1e-6)


def test_a_networks_products_are_those_of_its_layers() -> None:
    assert [str(shape) for shape in shapes([784, 256, 10], 100)] == [
        "forward 100x784x256",
        "weights 256x100x784",
        "inputs 100x256x784",
        "evaluation 250x784x256",
        "forward 100x256x10",
        "weights 10x100x256",
        "inputs 100x10x256",
        "evaluation 250x256x10",
    ]


def test_a_layer_takes_the_routes_given_and_torchs_blas_for_the_rest() -> None:
    first, second = layers([784, 256, 10], 100, {"weights 256x100x784": "onednn"})
    assert first == (products.blas, products.onednn, products.blas, products.blas)
    assert second == (products.blas,) * 4


def slow(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """Compute a product, and then wait."""
    time.sleep(0.02)
    return products.blas(a, b, out)


@pytest.mark.parametrize("slower", ["blas", "onednn"])
def test_the_faster_route_is_taken(slower: str, monkeypatch: pytest.MonkeyPatch) -> None:
    faster = {"blas": "onednn", "onednn": "blas"}[slower]
    for name, product in ((slower, slow), (faster, products.blas)):
        monkeypatch.setitem(ROUTES, name, product)
    monkeypatch.setattr(products, "available", lambda: ("blas", "onednn"))
    shape = Shape("forward", 17, 701, 503)  # measured by no other test
    threads = torch.get_num_threads()
    assert products._fastest.__wrapped__(shape) == faster
    assert torch.get_num_threads() == threads


def test_a_route_that_is_hardly_faster_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROUTES, "onednn", products.blas)
    monkeypatch.setattr(products, "WORTH", 3.0)
    monkeypatch.setattr(products, "available", lambda: ("blas", "onednn"))
    assert products._fastest.__wrapped__(Shape("forward", 100, 784, 256)) == "blas"


def test_small_products_take_torchs_blas_without_a_measurement() -> None:
    routes = fastest_routes([784, 256, 10], 100)
    assert set(routes) == {
        "forward 100x784x256",
        "weights 256x100x784",
        "evaluation 250x784x256",
    }
    assert set(routes.values()) <= set(available())
    assert fastest_routes([64, 32, 10], 100) == {}


def test_a_choice_is_taken_for_all_without_a_measurement() -> None:
    assert set(fastest_routes([784, 256, 10], 100, "onednn").values()) == {"onednn"}
    only = fastest_routes([784, 256, 10], 100, "blas", ["evaluation"])
    assert only == {"evaluation 250x784x256": "blas"}


def test_a_torch_without_onednn_has_only_its_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
        raise AttributeError("_linear_pointwise")

    monkeypatch.setattr(products, "onednn", missing)
    assert available.__wrapped__() == ("blas",)
