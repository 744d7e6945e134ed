"""Conditions of the data: label noise, destroyed inputs, subsets, normalisation.

Each condition is a pure function of its arguments and the run's seed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from study.base import streams
from study.base.names import INPUTS, NORMALIZATION, SCHEME

BLOCK = 1_000  # images that get random pixels at once, to bound memory; results depend on it


# A scheme takes labels [n], a mask [n] of labels to redraw, the number of classes, seed and stream,
# and returns new labels for the masked ones.
Scheme: TypeAlias = Callable[
    [NDArray[np.int64], NDArray[np.bool_], int, int, str], NDArray[np.int64]
]
# A condition takes images [n, feature], seed, stream, and the data set's mean and deviation, and
# returns images of the same shape.
Condition: TypeAlias = Callable[[NDArray[np.float32], int, str, float, float], NDArray[np.float32]]
# A normalization takes images [n, feature] and the data set's mean and deviation, and returns
# images of the same shape.
Normalization: TypeAlias = Callable[[NDArray[np.float32], float, float], NDArray[np.float32]]


class NoisyLabels(NamedTuple):
    """Labels after noise ([n], int64) and a mask of the redrawn labels ([n], bool)."""

    labels: NDArray[np.int64]
    redrawn: NDArray[np.bool_]


def noisy_labels(
    labels: NDArray[np.int64],
    noise: float,
    classes: int,
    seed: int,
    *,
    scheme: str = "uniform",
    stream: str = "train_labels",
) -> NoisyLabels:
    """Redraw each label with probability ``noise``: Zhang et al. (2017), partially corrupted.

    A redrawn label may come out the same. With one seed, the examples redrawn at a lower noise are
    among those redrawn at a higher one, and get the same label under ``uniform``.

    The scheme ``uniform`` draws over all classes; ``permuted`` permutes the labels of the chosen
    examples among themselves, which keeps every class's count. Train and test labels use different
    streams of the seed. An unknown scheme raises `BadInput`.

    Examples
    --------
    >>> noisy_labels(np.arange(10), 0.0, 10, seed=0).labels.tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    redraw: Scheme = SCHEME.resolve(scheme, "scheme")
    redrawn = streams.uniform(seed, f"{stream}/redrawn", labels.shape) < noise
    if not redrawn.any():
        return NoisyLabels(labels, redrawn)
    noisy = labels.copy()
    noisy[redrawn] = redraw(labels, redrawn, classes, seed, stream)
    return NoisyLabels(noisy, redrawn)


def _drawn_from_all_classes(
    labels: NDArray[np.int64], redrawn: NDArray[np.bool_], classes: int, seed: int, stream: str
) -> NDArray[np.int64]:
    return streams.integers(seed, f"{stream}/drawn", classes, len(labels))[redrawn]


def _permuted_among_themselves(
    labels: NDArray[np.int64], redrawn: NDArray[np.bool_], classes: int, seed: int, stream: str
) -> NDArray[np.int64]:
    chosen = labels[redrawn]
    return chosen[streams.permutation(seed, f"{stream}/order", len(chosen))]


SCHEMES: dict[str, Scheme] = {
    "uniform": _drawn_from_all_classes,
    "permuted": _permuted_among_themselves,
}


def split(
    train: int | None, validation: int, available: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return sorted indices of the examples to train on, and of those to validate on.

    These are the first and the last of one random order. So one seed's smaller training sets are in
    its larger ones, its smaller validation sets in its larger ones, and the two share no example.
    None trains on all that are available and not for validation.

    Examples
    --------
    >>> [part.tolist() for part in split(2, 2, 5, seed=0)]
    [[1, 4], [2, 3]]
    """
    if train is None and not validation:
        return np.arange(available), np.arange(0)
    order = streams.permutation(seed, "subset", available)
    rest = available - validation
    return np.sort(order[: rest if train is None else train]), np.sort(order[rest:])


def destroyed(
    pixels: NDArray[np.float32], inputs: str, seed: int, mean: float, deviation: float, stream: str
) -> NDArray[np.float32]:
    """Return images [n, feature] under an input condition (Zhang et al., 2017, section 2.1).

    ``shuffled_pixels`` applies one permutation to all images, train and test alike;
    ``random_pixels`` one to each image; ``gaussian`` draws every pixel from a normal distribution
    with the data set's ``mean`` and ``deviation``. Another name raises `BadInput`.
    """
    condition: Condition = INPUTS.resolve(inputs, "inputs")
    return condition(pixels, seed, stream, mean, deviation)


def _original(
    pixels: NDArray[np.float32], seed: int, stream: str, mean: float, deviation: float
) -> NDArray[np.float32]:
    return pixels


def _shuffled_pixels(
    pixels: NDArray[np.float32], seed: int, stream: str, mean: float, deviation: float
) -> NDArray[np.float32]:
    return np.ascontiguousarray(pixels[:, streams.permutation(seed, "pixels", pixels.shape[1])])


def _random_pixels(
    pixels: NDArray[np.float32], seed: int, stream: str, mean: float, deviation: float
) -> NDArray[np.float32]:
    result = np.empty_like(pixels)
    for block, start in enumerate(range(0, len(pixels), BLOCK)):
        part = pixels[start : start + BLOCK]
        keys = streams.uniform(seed, f"{stream}/pixels", part.shape, block)
        result[start : start + BLOCK] = np.take_along_axis(part, keys.argsort(axis=1), axis=1)
    return result


def _gaussian(
    pixels: NDArray[np.float32], seed: int, stream: str, mean: float, deviation: float
) -> NDArray[np.float32]:
    result = np.empty_like(pixels)
    for block, start in enumerate(range(0, len(pixels), BLOCK)):
        part = result[start : start + BLOCK]
        part[:] = mean + deviation * streams.normal(seed, f"{stream}/gaussian", part.shape, block)
    return result


CONDITIONS: dict[str, Condition] = {
    "original": _original,
    "shuffled_pixels": _shuffled_pixels,
    "random_pixels": _random_pixels,
    "gaussian": _gaussian,
}


def normalized(
    pixels: NDArray[np.float32], normalize: str, *, mean: float, deviation: float
) -> NDArray[np.float32]:
    """Return images [n, feature] as they are, or standardised by data set or by image.

    An unknown normalisation raises `BadInput`.
    """
    normalization: Normalization = NORMALIZATION.resolve(normalize, "normalize")
    return normalization(pixels, mean, deviation)


def _as_they_are(pixels: NDArray[np.float32], mean: float, deviation: float) -> NDArray[np.float32]:
    return pixels


def _by_data_set(pixels: NDArray[np.float32], mean: float, deviation: float) -> NDArray[np.float32]:
    return (pixels - np.float32(mean)) / np.float32(deviation)


def _by_image(pixels: NDArray[np.float32], mean: float, deviation: float) -> NDArray[np.float32]:
    centred = pixels - pixels.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    standard: NDArray[np.float32] = centred / np.where(spread > 0, spread, np.float32(1))
    return standard


NORMALIZATIONS: dict[str, Normalization] = {
    "none": _as_they_are,
    "dataset": _by_data_set,
    "image": _by_image,
}
