"""Seeds by images: what a test accuracy varies with, and how far it holds beyond its test set.

A test accuracy is a mean of a table [seed, image] of answers that are right or wrong. Over seeds it
varies on one test set; over images it varies with the test set that was drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reports.read import Records
from reports.statistics import Interval


def answers(records: Records, runs: Sequence[str], at: str = "last") -> NDArray[np.bool_]:
    """Return whether some runs' networks are right on each image of their test set, [run, image].

    Parameters
    ----------
    runs
        Ids, whose order the rows have. Compared runs have the same test set.
    at
        ``last``, ``fit`` or ``best``: the epochs whose answers on the whole test set are kept.

    Returns
    -------
    answers
        Of no image where the answers of one of the runs were not kept.
    """
    by_run = records.right(at)
    rows = [by_run.get(run, np.zeros(0, bool)) for run in runs]
    if len({len(row) for row in rows}) != 1:
        return np.zeros((len(runs), 0), bool)
    return np.stack(rows)


class MeanSquares(NamedTuple):
    """Mean squares of a table of seeds by images, for each its degrees of freedom below."""

    seeds: float
    images: float
    interaction: float


def mean_squares(correct: NDArray[Any]) -> MeanSquares:
    """Return the mean squares of a table [seed, image], of two-way analysis of variance.

    Examples
    --------
    >>> mean_squares(np.array([[1.0, 0.0], [1.0, 1.0]]))
    MeanSquares(seeds=0.25, images=0.25, interaction=0.25)
    """
    seeds, images = correct.shape
    table = correct.astype(float)
    of_seeds, of_images = table.mean(axis=1), table.mean(axis=0)
    rest = table - of_seeds[:, None] - of_images + table.mean()
    return MeanSquares(
        float(images * of_seeds.var(ddof=1)),
        float(seeds * of_images.var(ddof=1)),
        float((rest**2).sum() / ((seeds - 1) * (images - 1))),
    )


def seed_variance(correct: NDArray[Any]) -> float:
    """Return the variance between seeds of accuracy on all images like these, without bias.

    On a test set accuracies also differ because each network errs on other images of it. Jordan
    (2023), theorem 2: n / (n - 1) times the variance of a test set's accuracy less the sum of the
    images' variances / n^2. With variances over n - 1 it is two-way analysis of variance's
    component of the seeds, which is how it is computed. It can be below 0.

    Parameters
    ----------
    correct
        Whether each seed's network is right on each image, [seed, image]; at least 2 of either.

    Examples
    --------
    >>> seed_variance(np.array([[1, 0], [1, 1]]))
    0.0
    """
    found = mean_squares(correct)
    return (found.seeds - found.interaction) / int(correct.shape[1])


def two_way_interval(correct: NDArray[Any], level: float) -> Interval:
    """Return the interval of the mean over all seeds and all images like these.

    The variance of a table's mean is that of its seeds, plus that of its images, less the
    interaction, which both contain (Cornfield and Tukey, 1956; Owen, 2007). Each part of it is
    widened by its own Student's factor, squared (Banerjee, 1960): seeds are few, images many. It
    so contains `reports.statistics.student_interval` of the seeds' accuracies.

    Parameters
    ----------
    correct
        Whether each seed's network is right on each image, [seed, image], or the difference of two
        arms with the same seeds and images.
    """
    seeds, images = correct.shape
    if seeds < 2 or images < 2:
        return Interval(-math.inf, math.inf)
    found = mean_squares(correct)
    of_seeds, of_images = (float(stats.t.ppf((1 + level) / 2, n - 1)) for n in correct.shape)
    beyond = max(0.0, found.images - found.interaction)
    half = math.sqrt((of_seeds**2 * found.seeds + of_images**2 * beyond) / correct.size)
    mean = float(correct.mean())
    return Interval(mean - half, mean + half)
