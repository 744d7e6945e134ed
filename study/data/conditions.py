"""What is done to the data: label noise, destroyed inputs, subsets, normalisation.

Each condition is a pure function of its arguments and the run's seed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from study.base import streams

BLOCK = 1_000  # images given random pixels at once: bounds memory, and is part of what a seed means


class NoisyLabels(NamedTuple):
    """Labels after noise ([n], int64) and which of them were redrawn ([n], bool)."""

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

    Parameters
    ----------
    labels
        True labels, [n].
    noise
        Probability in [0, 1].
    classes
        Number of classes.
    seed
        The run's seed.
    scheme
        ``uniform`` draws over all classes; ``permuted`` permutes the labels of the chosen examples
        among themselves, which keeps every class's count.
    stream
        Which stream of the seed to use, so that train and test labels are noisy apart.

    Examples
    --------
    >>> noisy_labels(np.arange(10), 0.0, 10, seed=0).labels.tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    redrawn = streams.uniform(seed, f"{stream}/redrawn", labels.shape) < noise
    if not redrawn.any():
        return NoisyLabels(labels, redrawn)
    noisy = labels.copy()
    if scheme == "permuted":
        chosen = np.flatnonzero(redrawn)
        noisy[chosen] = labels[chosen[streams.permutation(seed, f"{stream}/order", len(chosen))]]
    else:
        drawn = streams.integers(seed, f"{stream}/drawn", classes, len(labels))
        noisy[redrawn] = drawn[redrawn]
    return NoisyLabels(noisy, redrawn)


def subset(examples: int, available: int, seed: int) -> NDArray[np.int64]:
    """Return sorted indices of a random subset; one seed's smaller subsets are in its larger."""
    return np.sort(streams.permutation(seed, "subset", available)[:examples])


def destroyed(
    pixels: NDArray[np.float32],
    inputs: str,
    seed: int,
    *,
    mean: float,
    deviation: float,
    stream: str,
) -> NDArray[np.float32]:
    """Return images [n, feature] under an input condition (Zhang et al., 2017, section 2.1).

    ``shuffled_pixels`` applies one permutation to all images, train and test alike;
    ``random_pixels`` one to each image; ``gaussian`` draws every pixel from a normal distribution
    with the data set's ``mean`` and ``deviation``.
    """
    n, features = pixels.shape
    if inputs == "original":
        return pixels
    if inputs == "shuffled_pixels":
        return np.ascontiguousarray(pixels[:, streams.permutation(seed, "pixels", features)])
    result = np.empty_like(pixels)
    for block, start in enumerate(range(0, n, BLOCK)):
        part = pixels[start : start + BLOCK]
        if inputs == "random_pixels":
            keys = streams.uniform(seed, f"{stream}/pixels", part.shape, block)
            result[start : start + BLOCK] = np.take_along_axis(part, keys.argsort(axis=1), axis=1)
        else:
            noise = streams.normal(seed, f"{stream}/gaussian", part.shape, block)
            result[start : start + BLOCK] = mean + deviation * noise
    return result


def normalized(
    pixels: NDArray[np.float32], normalize: str, *, mean: float, deviation: float
) -> NDArray[np.float32]:
    """Return images [n, feature] as they are, or standardised by data set or by image."""
    if normalize == "dataset":
        return (pixels - np.float32(mean)) / np.float32(deviation)
    if normalize == "image":
        centred = pixels - pixels.mean(axis=1, keepdims=True)
        spread = centred.std(axis=1, keepdims=True)
        standard: NDArray[np.float32] = centred / np.where(spread > 0, spread, np.float32(1))
        return standard
    return pixels


# The names that configs may give; each function takes its name as an argument.
SCHEMES = {"uniform": noisy_labels, "permuted": noisy_labels}
CONDITIONS = {
    "original": destroyed,
    "shuffled_pixels": destroyed,
    "random_pixels": destroyed,
    "gaussian": destroyed,
}
NORMALIZATIONS = {"none": normalized, "dataset": normalized, "image": normalized}
