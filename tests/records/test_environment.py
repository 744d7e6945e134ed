"""The environment record says where a run was trained, and what that promises."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import torch

from study.records import environment as module
from study.records.environment import agreed_routes, environment, git_commit
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


def test_the_commit_is_that_of_the_checkout_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "study" / "records"
    package.mkdir(parents=True)
    monkeypatch.setattr(module, "__file__", str(package / "environment.py"))
    assert git_commit() is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    commit = git_commit()
    assert commit is not None
    assert len(commit) == 40


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
