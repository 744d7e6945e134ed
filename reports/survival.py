"""How long runs take to fit, where some never do: the curve of Kaplan and Meier (1958)."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reports.statistics import Values


class Survival(NamedTuple):
    """A Kaplan-Meier curve: the share not yet fitted after each time, with its 95% interval."""

    time: Values
    share: Values
    low: Values
    high: Values


def kaplan_meier(times: Values, fitted: NDArray[np.bool_]) -> Survival:
    """Return the share of runs that have not fitted by each epoch.

    Parameters
    ----------
    times
        Epochs to fit, or trained without fitting.
    fitted
        Which of them fitted; the others are censored.

    Examples
    --------
    >>> curve = kaplan_meier(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]))
    >>> curve.share.round(2).tolist()
    [1.0, 0.67, 0.67, 0.0]
    """
    data = stats.CensoredData(uncensored=times[fitted], right=times[~fitted])
    curve = stats.ecdf(data).sf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        interval: Any = curve.confidence_interval(method="log-log")
    at = curve.quantiles
    columns = (curve.probabilities, interval.low.probabilities, interval.high.probabilities)
    share, low, high = (np.concatenate([[1.0], column]) for column in columns)
    low, high = np.where(np.isnan(low), share, low), np.where(np.isnan(high), share, high)
    return Survival(np.concatenate([[0.0], at]), share, low, high)
