"""Damaged and missing files of a data set: one line that names the file, nothing left behind."""

from __future__ import annotations

import dataclasses
import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torchvision
from bad_input import check_line

from study.data import sources
from study.data.sources import SOURCES
from study.fit import main


def idx(shape: tuple[int, ...], content: bytes) -> bytes:
    """Return an idx file of bytes."""
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + content


def whole() -> dict[str, bytes]:
    """Return the four files of a small MNIST."""
    return {
        "train-images-idx3-ubyte": idx((6, 28, 28), bytes(6 * 784)),
        "train-labels-idx1-ubyte": idx((6,), bytes(range(6))),
        "t10k-images-idx3-ubyte": idx((4, 28, 28), bytes(4 * 784)),
        "t10k-labels-idx1-ubyte": idx((4,), bytes(range(4))),
    }


Change = Callable[[dict[str, bytes]], object]


class Files(NamedTuple):
    """A row about a data set's files: what is done to whole ones, and the line's parts."""

    what: str
    change: Change
    key: str  # {raw} stands for the folder with the files
    expected: str


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
PACKED = gzip.compress(whole()[IMAGES])


def put(name: str, content: bytes) -> Change:
    """Return the change that puts other content into a file."""
    return lambda files: files.update({name: content})


def pack(content: bytes) -> Change:
    """Return the change that leaves the training images packed only."""
    return lambda files: (files.pop(IMAGES), files.update({f"{IMAGES}.gz": content}))


FILES = [
    Files("data set missing", dict.clear, "data.root", "MNIST's files under"),
    Files("one file missing", lambda files: files.pop(LABELS), "data.root", "MNIST's files under"),
    Files(
        "truncated images",
        put(IMAGES, whole()[IMAGES][:1000]),
        f"{{raw}}/{IMAGES}",
        "4704 bytes of data for shape (6, 28, 28), found '984 bytes'",
    ),
    Files("no bytes", put(IMAGES, b""), f"{{raw}}/{IMAGES}", "an idx file of bytes, found b''"),
    Files(
        "wrong magic",
        put(LABELS, b"\x00\x00\x0d" + whole()[LABELS][3:]),
        f"{{raw}}/{LABELS}",
        "an idx file of bytes",
    ),
    Files(
        "web page", put(LABELS, b"<html>"), f"{{raw}}/{LABELS}", "bytes, found b'<htm'; fetch it"
    ),
    Files(
        "truncated gzip",
        pack(PACKED[: len(PACKED) // 2]),
        f"{{raw}}/{IMAGES}.gz",
        "a whole gzip file",
    ),
    Files("no gzip", pack(b"images"), f"{{raw}}/{IMAGES}.gz", "a whole gzip file"),
    Files(
        "labels out of range",
        put(LABELS, idx((6,), bytes(range(5, 11)))),
        "data.dataset mnist",
        "labels from 0 to 9, found '5 to 10'",
    ),
    Files(
        "wrong count",
        put(LABELS, idx((5,), bytes(5))),
        "data.dataset mnist",
        "arrays of shapes ((6, 784), (6,), (4, 784), (4,)), found ((6, 784), (5,),",
    ),
    Files(
        "wrong shape",
        put(IMAGES, idx((6, 28, 27), bytes(6 * 28 * 27))),
        "data.dataset mnist",
        "found ((6, 756)",
    ),
]


def refuse_to_download(*args: object, **kwargs: object) -> None:
    raise RuntimeError("no network in tests")


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with a small MNIST declared and no network."""
    small = dataclasses.replace(SOURCES["mnist"], train_examples=6, test_examples=4)
    monkeypatch.setitem(sources.SOURCES, "mnist", small)
    monkeypatch.setattr(torchvision.datasets, "MNIST", refuse_to_download)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("case", FILES, ids=[case.what for case in FILES])
def test_bad_files_are_answered_with_one_line_and_leave_nothing(
    case: Files, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = work.parent / "sets" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    files = whole()
    case.change(files)
    for name, content in files.items():
        (raw / name).write_bytes(content)
    root = str(work.parent / "sets")
    argv = ["--data.dataset", "mnist", "--data.batch_size", "2", "--data.root", root]
    assert main(argv) == 2
    check_line(capsys.readouterr().err, case.key.format(raw=raw), case.expected)
    assert list(work.iterdir()) == []
    assert sorted(path.name for path in raw.iterdir()) == sorted(files)
