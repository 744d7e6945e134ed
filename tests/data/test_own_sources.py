"""A user's own data: arrays in a notebook, and sources named in a config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import study
from study.base.errors import BadInput
from study.data.prepare import DataCache
from study.data.sources import load_images, source_of
from study.fit import main
from study.runs.packing import plan
from study.runs.run import Run
from study.runs.settings import Data
from study.runs.study import Study

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (20, 3, 4), dtype=np.uint8)
LABELS = np.arange(20) % 5


def test_arrays_become_a_data_set_whose_fact_is_its_content(tmp_path: Path) -> None:
    name = study.Source.of(IMAGES, LABELS, IMAGES[:5], LABELS[:5], name="mine")
    run = Run(data=Data(dataset=name, batch_size=10))
    assert run.widths == (12, 256, 5)
    assert run.facts()["data.dataset"] == name
    assert name.startswith("arrays:mine@")
    assert name == study.Source.of(IMAGES.copy(), LABELS.copy(), IMAGES[:5], LABELS[:5], "mine")
    other = IMAGES.copy()
    other[0, 0, 0] ^= 1
    assert study.Source.of(other, LABELS, IMAGES[:5], LABELS[:5], "mine") != name
    reshaped = IMAGES.reshape(20, 12), IMAGES[:5].reshape(5, 12)
    assert study.Source.of(reshaped[0], LABELS, reshaped[1], LABELS[:5], "mine") != name
    prepared = DataCache().prepare(run)
    assert prepared.labels.tolist() == LABELS.tolist()
    pixels = IMAGES.reshape(20, 12) / np.float32(255)
    expected = (pixels - pixels.mean(dtype=np.float64)) / pixels.std(dtype=np.float64)
    np.testing.assert_allclose(prepared.train_images, expected, atol=1e-6)


def test_real_numbers_are_pixels_as_they_are() -> None:
    real = (IMAGES / 255).astype(np.float64)
    name = study.Source.of(real, LABELS, real, LABELS)
    data = Data(dataset=name, batch_size=10, normalize="none")
    prepared = DataCache().prepare(Run(data=data))
    np.testing.assert_array_equal(prepared.train_images, real.reshape(20, 12).astype(np.float32))
    assert len(Study(data=data, seeds=2).runs) == 2


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"images": IMAGES.astype(int)}, "images"),
        ({"images": IMAGES * 2.0}, "images"),
        ({"images": np.full((20, 2), np.nan)}, "images"),
        ({"images": IMAGES[:0]}, "images"),
        ({"images": LABELS}, "images"),
        ({"labels": LABELS[:5]}, "images"),
        ({"labels": LABELS - 1}, "labels"),
        ({"labels": LABELS / 2}, "labels"),
        ({"labels": LABELS[:, None]}, "labels"),
        ({"test_images": IMAGES[:, :2]}, "images"),
        ({"test_images": IMAGES / 255}, "test_images"),
        ({"name": "a/b"}, "name"),
    ],
)
def test_arrays_that_are_no_data_set_are_refused(change: dict[str, Any], key: str) -> None:
    given = {"images": IMAGES, "labels": LABELS, "test_images": IMAGES, "test_labels": LABELS}
    with pytest.raises(BadInput) as fault:
        study.Source.of(**{**given, **change})
    assert fault.value.key == key


def test_sizes_of_arrays_bound_a_run() -> None:
    name = study.Source.of(IMAGES, LABELS, IMAGES, LABELS)
    with pytest.raises(BadInput, match=r"^batch_size: expected at most the 20"):
        Data(dataset=name, batch_size=21)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a module with sources, as a user would."""
    (tmp_path / "sources_of_mine.py").write_text(
        "import numpy as np, study\n"
        "from study.data.sources import Images\n"
        "rng = np.random.default_rng(0)\n"
        "def images(n): return rng.integers(0, 256, (n, 12), dtype=np.uint8)\n"
        "labels = lambda n: np.arange(n) % 4\n"
        "def load(root): return Images(images(30), labels(30), images(8), labels(8))\n"
        "source = study.Source(30, 8, (3, 4), load, classes=4)\n"
        "def made(): return source\n"
        "def fails(): raise RuntimeError('no disk')\n"
        "number = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.mark.parametrize("name", ["source", "made"])
@pytest.mark.usefixtures("module")
def test_a_config_names_a_source_or_a_function_that_makes_one(name: str) -> None:
    data = Data(dataset=f"sources_of_mine:{name}", batch_size=10)
    run = Run(data=data, seed=1)
    assert run.facts()["data.dataset"] == f"sources_of_mine:{name}"
    assert run.widths == (12, 256, 4)
    assert data.examples == 30
    assert load_images(data.dataset, "data").train_labels.max() == 3
    assert plan(Study(data=run.data), [run])[0].bytes > 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("number", "a study.Source, or a function that makes one, found 'sources_of_mine:number'"),
        ("fails", "a function that makes a Source, found 'sources_of_mine:fails'; no disk"),
        ("sourse", "did you mean 'source'?"),
    ],
)
@pytest.mark.usefixtures("module")
def test_what_is_no_source_is_said_in_one_line(name: str, said: str) -> None:
    with pytest.raises(BadInput, match=r"^data.dataset: expected ") as fault:
        source_of(f"sources_of_mine:{name}")
    assert said in str(fault.value)


@pytest.mark.parametrize("plan_only", [["--plan"], []])
def test_sizes_of_an_outside_source_are_held_to_before_anything_is_written(
    plan_only: list[str], module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("batch_size", "train_examples"):
        argv = ["--data.dataset", "sources_of_mine:source", f"--data.{option}", "31"]
        assert main([*argv, *plan_only]) == 2
        printed = capsys.readouterr().err
        assert printed.startswith(f"study.fit: data.{option}: expected at most the 30"), printed
    assert main(["--data.dataset", "sources_of_mine:number", *plan_only]) == 2
    assert capsys.readouterr().err.startswith("study.fit: data.dataset: expected a study.Source")
    assert list(module.iterdir()) == []


def test_a_root_that_is_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("mnist", "cifar10"):
        with pytest.raises(BadInput, match=r"^data.root: expected a folder.*it is a file"):
            load_images(name, tmp_path / "file")
    with pytest.raises(BadInput, match=r"^data.root: expected a folder, found '~nosuchuser/a'"):
        load_images("digits", "~nosuchuser/a")


def test_a_root_that_is_too_long_to_be_a_folder_is_one_line() -> None:
    with pytest.raises(BadInput, match=r"^data.root: expected a folder, found 'aaa"):
        load_images("mnist", "a" * 300)


@pytest.mark.parametrize("more", [["--plan"], []])
def test_a_function_that_leaves_the_process_is_no_source(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data.dataset", "sys:exit", "--out", str(tmp_path / "out"), *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "data.dataset: expected a function that makes a Source, found 'sys:exit'" in line
    assert not (tmp_path / "out").exists()
