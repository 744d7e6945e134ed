"""Turns a run's facts into its arrays: images and labels under the run's conditions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from study.data.conditions import destroyed, noisy_labels, normalized, split
from study.data.readers import Images
from study.data.sources import load_images, source_of

T = TypeVar("T", bound=np.generic)
Array = TypeVar("Array")


class DataSettings(Protocol):
    """The settings that, with the seed, decide a run's data; `study.Data` documents them."""

    dataset: str
    root: str
    label_noise: float
    label_scheme: str
    inputs: str
    train_examples: int | None
    validation_examples: int
    normalize: str


class Wanted(Protocol):
    """The part of a `study.Run` that decides its data."""

    seed: int

    @property
    def data(self) -> DataSettings: ...


@dataclass(frozen=True)
class RunData(Generic[Array]):
    """The data of one run, as arrays or as tensors.

    Attributes
    ----------
    train_images, test_images
        All images of the source under the run's condition, [n, feature], float32. Runs that see
        the same images share these arrays.
    examples
        Indices of the training images the run trains on, [m].
    labels, true_labels, redrawn
        The examples' labels trained on, their true labels, and which were redrawn, [m].
    validation_examples
        Indices of the training images that are held out for validation, [v].
    validation_labels, validation_noisy_labels
        Their true labels, and the same as noisy as the labels trained on, [v].
    test_labels, test_noisy_labels
        True test labels, and test labels as noisy as the training labels, [n_test].
    data_hash, labels_hash
        sha256 of the source's content, and of the chosen examples with the labels trained on.
    """

    train_images: Array
    test_images: Array
    examples: Array
    labels: Array
    true_labels: Array
    redrawn: Array
    validation_examples: Array
    validation_labels: Array
    validation_noisy_labels: Array
    test_labels: Array
    test_noisy_labels: Array
    data_hash: str
    labels_hash: str


class DataCache:
    """Loads each source once and shares arrays between runs that see the same images."""

    def __init__(self) -> None:
        self._sources: dict[tuple[str, str], tuple[Images, str]] = {}
        self._images: dict[tuple[object, ...], tuple[NDArray[np.float32], ...]] = {}

    def source(self, data: DataSettings) -> tuple[Images, str]:
        """Return a source's raw images and their checksum."""
        key = (data.dataset, data.root)
        if key not in self._sources:
            images = load_images(data.dataset, data.root)
            self._sources[key] = (images, images.checksum())
        return self._sources[key]

    def keep_only(self, runs: Iterable[Wanted]) -> None:
        """Forget images that none of ``runs`` sees."""
        needed = {image_key(run) for run in runs}
        self._images = {key: value for key, value in self._images.items() if key in needed}

    def prepare(self, run: Wanted) -> RunData[NDArray[Any]]:
        """Return the arrays of one run; `BadInput` is raised for data that miss or are damaged."""
        data, seed = run.data, run.seed
        images, data_hash = self.source(data)
        key = image_key(run)
        if key not in self._images:
            self._images[key] = _images(images, data, seed)
        train_images, test_images = self._images[key]
        classes = source_of(data.dataset).classes
        available = len(images.train_labels)
        examples, validation = split(data.train_examples, data.validation_examples, available, seed)
        noise, scheme = data.label_noise, data.label_scheme
        noisy = noisy_labels(images.train_labels, noise, classes, seed, scheme=scheme)
        test_noisy = noisy_labels(
            images.test_labels, noise, classes, seed, scheme=scheme, stream="test_labels"
        )

        def chosen(array: NDArray[T]) -> NDArray[T]:
            # No copy of a whole data set, so that runs share the source's arrays.
            return array if len(examples) == available else array[examples]

        labels = chosen(noisy.labels)
        labels_hash = hashlib.sha256(examples.tobytes() + labels.tobytes()).hexdigest()
        return RunData(
            *(train_images, test_images, examples),
            *(labels, chosen(images.train_labels), chosen(noisy.redrawn)),
            *(validation, images.train_labels[validation], noisy.labels[validation]),
            *(images.test_labels, test_noisy.labels),
            *(data_hash, labels_hash),
        )


def image_key(run: Wanted) -> tuple[object, ...]:
    """Return a key of the images a run sees; runs with the same key share images."""
    data = run.data
    seed = None if data.inputs == "original" else run.seed
    return (data.dataset, data.root, data.inputs, data.normalize, seed)


def _images(images: Images, data: DataSettings, seed: int) -> tuple[NDArray[np.float32], ...]:
    brightest = np.float32(source_of(data.dataset).brightest)
    train = images.train_pixels / brightest
    mean, deviation = float(train.mean(dtype=np.float64)), float(train.std(dtype=np.float64))
    result = []
    for stream, pixels in (("train", train), ("test", images.test_pixels / brightest)):
        single = pixels.astype(np.float32, copy=False)
        shown = destroyed(single, data.inputs, seed, mean, deviation, stream)
        result.append(normalized(shown, data.normalize, mean=mean, deviation=deviation))
    return tuple(result)
