"""Data that changed since a study began are not mixed with what it was trained on."""

from __future__ import annotations

import dataclasses
import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from campaign import Trial, same, wait_until
from helpers import SMALL
from numpy.typing import NDArray

import study
from study.data.sources import SOURCES

TRAIN, TEST = 400, 100


def idx(array: NDArray[np.uint8]) -> bytes:
    """Return an array as a gzipped idx file."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.tobytes())


def write_data(root: Path, seed: int = 0) -> None:
    """Write a small data set; with another seed, other labels to train on."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    for part, number in (("train", TRAIN), ("t10k", TEST)):
        pixels = np.random.default_rng(number).integers(0, 256, (number, 28, 28), np.uint8)
        labels = np.random.default_rng([number, seed]).integers(0, 10, number, np.uint8)
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(pixels))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(labels))


def declare_small() -> None:
    """Let mnist be of that size, in this process."""
    small = dataclasses.replace(SOURCES["mnist"], train_examples=TRAIN, test_examples=TEST)
    SOURCES["mnist"] = small


def trial_with_data(place: Path, *options: str) -> Trial:
    data = f"{{dataset: mnist, root: {place / 'data'}, train_examples: 300}}"
    write_data(place / "data")
    config = SMALL.replace("{dataset: digits, train_examples: 300}", data)
    return Trial(place, options, config)


def killed(trial: Trial, pattern: str) -> None:
    """Kill a study as soon as it has left such a file."""
    process = trial.start(prepare=declare_small)
    assert wait_until(lambda: list(trial.out.glob(pattern)), process)
    process.kill()
    process.join()


@pytest.mark.slow
def test_a_file_of_the_data_that_is_damaged_later_is_bad_input_and_costs_nothing(
    tmp_path: Path,
) -> None:
    trial = trial_with_data(tmp_path)
    killed(trial, "checkpoints/*.safetensors")
    path = tmp_path / "data" / "MNIST" / "raw" / "train-labels-idx1-ubyte.gz"
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    (line,) = trial.finish(status=2, prepare=declare_small).splitlines()
    assert str(path) in line
    path.write_bytes(content)
    trial.finish(prepare=declare_small)
    whole = trial_with_data(tmp_path)
    whole = dataclasses.replace(whole, folder=tmp_path / "whole", logs=[])
    whole.finish(prepare=declare_small)
    same(whole, trial)


@pytest.mark.parametrize(
    "pattern",
    ["checkpoints/*.safetensors", pytest.param("runs/*.parquet", marks=pytest.mark.slow)],
)
def test_other_data_than_a_study_began_with_are_refused_with_a_line(
    pattern: str, tmp_path: Path
) -> None:
    trial = trial_with_data(tmp_path, "--stack", "1")
    killed(trial, pattern)
    write_data(tmp_path / "data", seed=1)
    process = trial.start(prepare=declare_small)
    process.join(60)
    assert process.exitcode == 2
    assert "data.dataset: expected mnist as this study began with" in trial.said()
    assert len(set(study.load(trial.out)[0]["data_hash"])) <= 1
