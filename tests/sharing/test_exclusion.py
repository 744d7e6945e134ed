"""Two processes find out whether locks of a file system exclude each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from study.sharing.exclusion import exclude_each_other
from study.sharing.locks import Locks
from study.status import main


@pytest.mark.parametrize("excluded", [True, False])
def test_two_processes_find_out_whether_locks_exclude_each_other(
    excluded: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("study.sharing.exclusion.POLL_SECONDS", 0.05)
    if not excluded:
        monkeypatch.setattr(Locks, "take", lambda self, name: True)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: exclude_each_other(tmp_path, lambda said: None), range(2)))
    assert both == [excluded, excluded]
    assert list((tmp_path / "locks" / "test").iterdir()) == []


def test_alone_there_is_nothing_to_find_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("study.sharing.exclusion.MOST_SECONDS", 0.5)
    assert main([str(tmp_path), "--test-locks"]) == 2
    assert "expected a second process within" in capsys.readouterr().err
