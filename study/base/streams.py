"""Named random streams: every draw is a pure function of (seed, stream name, counter).

There is no global generator, so a stream's numbers depend neither on earlier draws nor on devices,
workers or the size of a stack. All numbers are made from the raw words of Philox (Salmon et al.,
2011), because NumPy keeps these across versions and does not promise that of its distributions.
"""

from __future__ import annotations

import hashlib
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from study.base.errors import BadInput


def words(seed: int, stream: str, size: int, counter: int = 0) -> NDArray[np.uint64]:
    """Return ``size`` random 64-bit words of one stream, which is named for their use.

    The counter says which part of the stream, e.g. the epoch's; parts do not overlap. `BadInput` is
    raised where seed or counter is not a whole number of at least 0, or the counter 2^63 or more.
    """
    _refuse_other_than_whole("seed", seed)
    _refuse_other_than_whole("counter", counter, below=2**63)
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    key = np.frombuffer(digest[:16], dtype="<u8")
    return np.random.Philox(key=key, counter=[0, 0, 0, counter]).random_raw(size)


def _refuse_other_than_whole(key: str, value: object, below: float = math.inf) -> None:
    # A seed "1/2" would share its stream "x" with the stream "2/x" of seed 1.
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not (whole and 0 <= value < below):  # type: ignore[operator]  # a number by now
        limit = "" if below == math.inf else f" and below {below}"
        raise BadInput(key, f"a whole number of at least 0{limit}", value)


def uniform(
    seed: int, stream: str, shape: tuple[int, ...], counter: int = 0
) -> NDArray[np.float64]:
    """Return numbers in [0, 1), multiples of 2^-53.

    Examples
    --------
    >>> bool((uniform(0, "x", (3,)) == uniform(0, "x", (3,))).all())
    True
    >>> bool((uniform(0, "x", (3,)) == uniform(0, "y", (3,))).any())
    False
    """
    raw = words(seed, stream, math.prod(shape), counter)
    return ((raw >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(shape)


def integers(seed: int, stream: str, high: int, size: int, counter: int = 0) -> NDArray[np.int64]:
    """Return ``size`` integers in [0, ``high``)."""
    return (uniform(seed, stream, (size,), counter) * high).astype(np.int64)


def permutation(seed: int, stream: str, size: int, counter: int = 0) -> NDArray[np.int64]:
    """Return a random permutation of 0 … ``size`` - 1: the order that sorts ``size`` random words.

    Examples
    --------
    >>> sorted(permutation(3, "order", 5, counter=7).tolist())
    [0, 1, 2, 3, 4]
    """
    return np.argsort(words(seed, stream, size, counter))


def normal(seed: int, stream: str, shape: tuple[int, ...], counter: int = 0) -> NDArray[np.float64]:
    """Return standard normal numbers, by the inverse of the distribution function."""
    from scipy.special import ndtri

    # Take the middle of each interval, as 0 and 1 would give infinities; the last rounds up to 1.
    middles = uniform(seed, stream, shape, counter) + 2.0**-54
    return np.asarray(ndtri(np.minimum(middles, 1 - 2.0**-53)))


class Stream(NamedTuple):
    """One stream of a seed at one counter, for code that draws from nothing else.

    Examples
    --------
    >>> random = Stream(0, "measure/mine", counter=3)
    >>> bool((random.normal((2,)) == normal(0, "measure/mine", (2,), 3)).all())
    True
    """

    seed: int
    name: str
    counter: int = 0

    def uniform(self, shape: tuple[int, ...], part: str = "") -> NDArray[np.float64]:
        """Return numbers in [0, 1); other ones for each ``part``."""
        return uniform(self.seed, self.name + part, shape, self.counter)

    def normal(self, shape: tuple[int, ...], part: str = "") -> NDArray[np.float64]:
        """Return standard normal numbers; other ones for each ``part``."""
        return normal(self.seed, self.name + part, shape, self.counter)
