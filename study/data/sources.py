"""The sources of images by name, with their sizes, which are known before loading."""

from __future__ import annotations

import errno
import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.base.errors import BadInput, named_folder
from study.base.names import DATASET, MADE
from study.data.readers import Images, read_cifar10, read_digits, read_idx_files, read_mnist5k


@dataclass(frozen=True)
class Source:
    """A data set's sizes, and how to load it from a folder.

    Attributes
    ----------
    train_examples, test_examples
        Numbers of images.
    shape
        An image's shape; its elements in this order are the features.
    load
        Function from the data folder to `Images`; raises `BadInput` when the data set is missing
        or damaged.
    brightest
        The pixel value that stands for 1.
    """

    train_examples: int
    test_examples: int
    shape: tuple[int, ...]
    load: Callable[[Path], Images]
    brightest: int = 255
    classes: int = 10

    @property
    def features(self) -> int:
        """Number of pixels times colours."""
        return math.prod(self.shape)

    @classmethod
    def of(
        cls,
        images: ArrayLike,
        labels: ArrayLike,
        test_images: ArrayLike,
        test_labels: ArrayLike,
        name: str = "",
    ) -> str:
        """Make a data set of arrays, and return its name for ``Data(dataset=...)``.

        The name holds the sha256 of the content, so that other content is another fact. Only this
        process knows the data set: another process has to make it again to go on with the study.

        Parameters
        ----------
        images, test_images
            Pixels as bytes, or as numbers in [0, 1]; any shape [n, ...].
        labels, test_labels
            Classes as whole numbers from 0, [n].
        name
            A name in letters, digits, ``_`` and ``-``.

        Raises
        ------
        BadInput
            The arrays have other types, shapes or values.

        Examples
        --------
        >>> images, labels = np.zeros((4, 2, 2), np.uint8), np.array([0, 1, 0, 1])
        >>> Source.of(images, labels, images, labels, name="mine")
        'arrays:mine@f04ee6acacf0'
        """
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,64}", name):
            raise BadInput("name", "at most 64 letters, digits, '_' and '-'", name)
        pixels, classes = _pixels("images", images), _classes("labels", labels)
        test_pixels = _pixels("test_images", test_images)
        test_classes = _classes("test_labels", test_labels)
        shape = pixels.shape[1:]
        found = (len(classes), test_pixels.shape, len(test_classes))
        wanted = (len(pixels), (len(test_pixels), *shape), len(test_pixels))
        if found != wanted:
            raise BadInput("images", "as many labels as images, all of one shape", found)
        if pixels.dtype != test_pixels.dtype:
            types = f"{pixels.dtype} and {test_pixels.dtype}"
            raise BadInput("test_images", "numbers of the images' type", types)
        content = Images.of(pixels, classes, test_pixels, test_classes)
        digest = hashlib.sha256(f"{shape} {pixels.dtype} {content.checksum()}".encode()).hexdigest()
        called = f"arrays:{name}@{digest[:12]}" if name else f"arrays:{digest[:12]}"
        MADE[called] = cls(
            len(pixels),
            len(test_pixels),
            shape,
            lambda root: content,
            brightest=255 if pixels.dtype == np.uint8 else 1,
            classes=int(max(classes.max(), test_classes.max())) + 1,
        )
        return called


def _pixels(key: str, given: ArrayLike) -> NDArray[Any]:
    array = np.asarray(given)
    if array.ndim < 2 or not array.size:
        raise BadInput(key, "images of any shape [n, ...]", array.shape)
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f" or not (array.min() >= 0 and array.max() <= 1):
        raise BadInput(key, "bytes (uint8), or real numbers in [0, 1]", f"{array.dtype}")
    return array.astype(np.float32)


def _classes(key: str, given: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(given)
    if array.ndim != 1 or array.dtype.kind not in "iu" or array.min(initial=0) < 0:
        raise BadInput(key, "whole numbers from 0, [n]", f"{array.dtype} of shape {array.shape}")
    return array.astype(np.int64)


def source_of(name: str) -> Source:
    """Return the source that ``data.dataset`` names; a path may name a function that makes one.

    Raises
    ------
    BadInput
        The name is unknown, or its object is no source.
    """
    found = DATASET.resolve(name, "data.dataset")
    if not isinstance(found, Source) and callable(found):
        try:
            found = found()
        except (Exception, SystemExit) as error:  # a user's function may raise anything
            expected = "a function that makes a Source"
            raise BadInput("data.dataset", expected, name, str(error)) from None
    if not isinstance(found, Source):
        raise BadInput("data.dataset", "a study.Source, or a function that makes one", name)
    return found


def load_images(name: str, root: str | Path) -> Images:
    """Load a source by name and check its arrays against the declared sizes.

    Raises
    ------
    BadInput
        The data set is missing or damaged.
    """
    source = source_of(name)
    try:
        images = source.load(named_folder(str(root), "data.root"))
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise BadInput("data.root", "a folder", str(root), str(error.strerror)) from None
    train, test, features = source.train_examples, source.test_examples, source.features
    expected = ((train, features), (train,), (test, features), (test,))
    found = tuple(array.shape for array in images)
    if found != expected:
        raise BadInput(f"data.dataset {name}", f"arrays of shapes {expected}", found)
    for labels in (images.train_labels, images.test_labels):
        if labels.min() < 0 or labels.max() >= source.classes:
            wanted = f"labels from 0 to {source.classes - 1}"
            raise BadInput(f"data.dataset {name}", wanted, f"{labels.min()} to {labels.max()}")
    return images


SOURCES: dict[str, Source] = {
    "mnist5k": Source(4_000, 1_000, (28, 28), read_mnist5k),
    "digits": Source(1_437, 360, (8, 8), read_digits, brightest=16),
    "mnist": Source(60_000, 10_000, (28, 28), partial(read_idx_files, "MNIST", "MNIST")),
    "fashion_mnist": Source(
        60_000, 10_000, (28, 28), partial(read_idx_files, "FashionMNIST", "FashionMNIST")
    ),
    "kmnist": Source(60_000, 10_000, (28, 28), partial(read_idx_files, "KMNIST", "KMNIST")),
    "cifar10": Source(50_000, 10_000, (32, 32, 3), read_cifar10),
}
