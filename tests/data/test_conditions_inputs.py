"""Conditions on images: shuffled and random pixels, Gaussian images, and normalisation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chisquare, kstest

from study.base import streams
from study.base.errors import BadInput
from study.data.conditions import (
    BLOCK,
    destroyed,
    normalized,
)

# Inputs

# Draws are the same every time: a p-value below this means a wrong distribution, not bad luck.
UNLIKELY = 1e-3


def images(n: int, features: int, seed: int = 0) -> NDArray[np.float32]:
    """Return images without two equal pixels."""
    return streams.uniform(seed, "images", (n, features)).astype(np.float32)


def change(
    pixels: NDArray[np.float32], inputs: str, seed: int = 0, stream: str = "train"
) -> NDArray[np.float32]:
    """Return images under a condition, with the mean and deviation of no data set."""
    return destroyed(pixels, inputs, seed, mean=0.25, deviation=0.5, stream=stream)


def test_original_images_stay() -> None:
    pixels = images(5, 20)
    assert np.array_equal(change(pixels, "original"), pixels)


def test_shuffled_pixels_are_one_permutation_for_all_images_train_and_test_alike() -> None:
    positions = np.tile(np.arange(50, dtype=np.float32), (30, 1))
    train, test = (change(positions, "shuffled_pixels", stream=s) for s in ("train", "test"))
    assert np.array_equal(train, test)
    assert (train == train[0]).all()
    assert sorted(train[0].tolist()) == list(range(50))
    assert not np.array_equal(train[0], positions[0])
    assert not np.array_equal(train, change(positions, "shuffled_pixels", seed=1))
    assert train.flags.c_contiguous


def test_random_pixels_are_a_permutation_of_each_image_and_another_for_each() -> None:
    positions = np.tile(np.arange(50, dtype=np.float32), (BLOCK + 30, 1))
    shown = change(positions, "random_pixels")
    assert np.array_equal(np.sort(shown, axis=1), positions)
    assert len(np.unique(shown, axis=0)) == len(shown)  # also over the edge of a block
    # A pixel's new place is uniform: the first one's, over all images.
    assert chisquare(np.bincount(shown[:, 0].astype(int), minlength=50)).pvalue > UNLIKELY


def test_random_pixels_and_gaussian_images_differ_between_train_and_test_and_seeds() -> None:
    pixels = images(5, 50)
    for inputs in ("random_pixels", "gaussian"):
        shown = [
            change(pixels, inputs, *which) for which in ((0, "train"), (0, "test"), (1, "train"))
        ]
        assert not any(np.array_equal(shown[i], shown[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_gaussian_images_have_the_mean_and_deviation_asked_for_whatever_was_there() -> None:
    pixels = images(BLOCK + 200, 50)
    shown = change(pixels, "gaussian")
    assert shown.dtype == np.float32
    # Five standard errors of mean and deviation of 60,000 draws.
    assert abs(shown.mean(dtype=np.float64) - 0.25) < 5 * 0.5 / math.sqrt(60_000)
    assert abs(shown.std(dtype=np.float64) - 0.5) < 5 * 0.5 / math.sqrt(120_000)
    assert kstest(shown.ravel(), "norm", args=(0.25, 0.5)).pvalue > UNLIKELY
    assert np.array_equal(shown, change(np.zeros_like(pixels), "gaussian"))
    assert len(np.unique(shown[:, 0])) > BLOCK  # blocks do not repeat each other


@pytest.mark.parametrize("inputs", ["original", "shuffled_pixels", "random_pixels", "gaussian"])
def test_a_condition_is_a_function_of_its_seed_and_changes_no_image_in_place(inputs: str) -> None:
    pixels = images(7, 30)
    first, again = change(pixels, inputs), change(pixels, inputs)
    assert np.array_equal(first, again)
    assert first.dtype == np.float32
    assert first.shape == pixels.shape
    assert np.array_equal(pixels, images(7, 30))


@pytest.mark.parametrize("inputs", ["random_pixels", "gaussian"])
def test_the_first_images_are_the_same_however_many_follow(inputs: str) -> None:
    pixels = images(2 * BLOCK, 4)
    whole, part = change(pixels, inputs), change(pixels[: BLOCK + 5], inputs)
    assert np.array_equal(whole[: BLOCK + 5], part)


# Normalisation


def test_normalisation_by_the_data_set_uses_the_numbers_given() -> None:
    pixels = np.array([[0.0, 1.0], [0.5, 0.25]], dtype=np.float32)
    shown = normalized(pixels, "dataset", mean=0.5, deviation=0.25)
    assert shown.tolist() == [[-2, 2], [0, -1]]
    assert shown.dtype == np.float32


def test_normalisation_by_image_gives_each_mean_0_and_deviation_1() -> None:
    shown = normalized(images(20, 100), "image", mean=9, deviation=9)
    assert shown.dtype == np.float32
    # Sums of a hundred float32 numbers.
    assert np.abs(shown.mean(axis=1)).max() < 1e-6
    assert np.abs(shown.std(axis=1) - 1).max() < 1e-6


@settings(max_examples=50, deadline=None, derandomize=True)
@given(value=st.integers(0, 255), features=st.integers(1, 800))
def test_an_image_of_one_colour_is_nearly_zero_and_no_nan(value: int, features: int) -> None:
    pixels = np.full((2, features), value, np.float32) / np.float32(255)
    shown = normalized(pixels, "image", mean=0, deviation=1)
    # Exactly zero but for the rounding of the mean.
    assert np.abs(shown).max() < 1e-5


def test_no_normalisation_leaves_the_pixels() -> None:
    pixels = images(3, 4)
    assert np.array_equal(normalized(pixels, "none", mean=9, deviation=9), pixels)


@pytest.mark.parametrize("pixels", [images(3, 4), images(0, 4)], ids=["images", "no images"])
def test_a_misspelt_condition_or_normalisation_is_refused_with_the_nearest(
    pixels: NDArray[np.float32],
) -> None:
    with pytest.raises(BadInput, match=r"^inputs: .*'gausian'; did you mean 'gaussian'\?$"):
        change(pixels, "gausian")
    with pytest.raises(BadInput, match=r"^inputs: expected one of original, shuffled_pixels"):
        change(pixels, "")
    with pytest.raises(BadInput, match=r"^normalize: .*'datset'; did you mean 'dataset'\?$"):
        normalized(pixels, "datset", mean=0, deviation=1)


def test_a_condition_from_outside_is_applied() -> None:
    pixels = images(3, 4)
    assert np.array_equal(change(pixels, "outside:negative"), 1 - pixels)
