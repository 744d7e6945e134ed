"""The environment record says where a run was trained, and what that promises."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import torch

from study.records import environment as module
from study.records.environment import Code, agreed_routes, code_of, environment
from study.runs.events import Machine
from study.runs.run import Run
from study.training.engine import chosen_routes


def test_a_cpu_promises_the_same_bits() -> None:
    here = environment(Machine("cpu", "32-true", {}, 0.0))
    assert (here["stacking"], here["tolerance"]) == ("bitwise", 0.0)
    assert here["threads"] == torch.get_num_threads()
    assert here["packages"]["torch"] == torch.__version__.split("+")[0]
    assert json.loads(json.dumps(here)) == here


def test_where_bits_differ_the_measured_tolerance_is_declared() -> None:
    here = environment(Machine("cpu", "32-true", {}, 2.5e-7))
    assert (here["stacking"], here["tolerance"]) == ("tolerance", 2.5e-7)


def package(place: Path) -> Path:
    """Make a package of two modules and return its folder."""
    (place / "study" / "room").mkdir(parents=True)
    (place / "study" / "a.py").write_text("A = 1\n")
    (place / "study" / "room" / "b.py").write_text("B = 1\n")
    return place / "study"


def code(folder: Path) -> Code:
    code_of.cache_clear()
    return code_of(folder)


def test_edited_sources_differ_from_their_commit(tmp_path: Path) -> None:
    folder = package(tmp_path)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "first"], check=True)
    clean = code(folder)
    assert clean.git_commit is not None
    assert len(clean.git_commit) == 40
    assert clean.git_dirty is False
    (tmp_path / "README.md").write_text("No code.\n")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_text("Not a source.\n")
    assert code(folder) == clean
    (folder / "room" / "b.py").write_text("B = 2\n")
    edited = code(folder)
    assert (edited.git_commit, edited.git_dirty) == (clean.git_commit, True)
    assert edited.source_sha256 != clean.source_sha256
    (folder / "room" / "b.py").write_text("B = 1\n")
    assert code(folder) == clean
    (folder / "c.py").write_text("")
    new = code(folder)
    assert new.git_dirty is True
    assert new.source_sha256 != clean.source_sha256


def test_an_installed_package_has_the_same_source_and_no_commit(tmp_path: Path) -> None:
    installed, checkout = package(tmp_path / "one"), package(tmp_path / "another")
    assert code(installed) == code(checkout)
    assert (code(installed).git_commit, code(installed).git_dirty) == (None, None)
    (checkout / "room" / "b.py").rename(checkout / "room" / "c.py")
    assert code(checkout).source_sha256 != code(installed).source_sha256


def test_a_checkout_that_git_cannot_read_has_no_commit(tmp_path: Path) -> None:
    folder = package(tmp_path)
    (tmp_path / ".git").write_text("gitdir: nowhere\n")
    assert code(folder)[1:] == (None, None)


def test_records_name_the_source_that_made_them() -> None:
    here = environment(Machine("cpu", "32-true", {}, 0.0))
    assert here["source_sha256"] == code(Path(module.__file__).resolve().parents[1]).source_sha256
    assert {"git_commit", "git_dirty"} <= here.keys()


def test_tasks_that_begin_together_agree_on_the_routes_of_products(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = chosen_routes(Run(), "blas").keys()
    measured = iter([dict.fromkeys(shapes, "onednn"), dict.fromkeys(shapes, "blas")])
    first = agreed_routes(tmp_path, shapes, lambda: next(measured))
    assert set(first.values()) == {"onednn"}
    monkeypatch.setattr(Path, "exists", lambda path: False)  # the other began just before
    assert agreed_routes(tmp_path, shapes, lambda: next(measured)) == first
    assert len(list((tmp_path / "routes").iterdir())) == 1
