"""A watched report is made again as runs end, and at last without anything that reloads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports import watching
from reports.__main__ import main
from reports.watching import watch


def test_a_report_is_made_whenever_runs_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([([], 1), (["a"], 3), (["a"], 3), (["a", "b"], 3), (["a", "b", "c"], 3)])
    monkeypatch.setattr(watching, "progress", lambda folders: next(looks))
    monkeypatch.setattr(watching, "SECONDS", 0)
    made: list[str | None] = []
    said: list[str] = []
    watch([tmp_path], tmp_path, made.append, said.append)
    assert len(made) == 3
    assert made[2] is None
    assert made[0] != made[1]
    assert said[0] == "waiting for the first run to end"
    assert said[-1].startswith("3 of 3 runs")
    assert (tmp_path / "made.js").read_text() == 'window.studyMade = "last";\n'


def test_a_finished_study_is_reported_once(results: Path, tmp_path: Path) -> None:
    assert watching.progress([results, tmp_path / "none"])[1] == 25
    assert main([str(results), "--out", str(tmp_path / "out"), "--watch"]) == 0
    page = (tmp_path / "out" / "index.html").read_text()
    assert "made.js" not in page


def test_one_figure_alone(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main([str(results), "--out", str(out), "--only", "memorization"]) == 0
    assert sorted(path.name for path in out.rglob("*") if path.is_file()) == [
        f"memorization.{suffix}" for suffix in ("csv", "md", "pdf", "png", "svg", "tex")
    ]
    assert capsys.readouterr().out.strip() == f"{out}/figures/memorization.pdf"
    assert main([str(results), "--only", "memorisation"]) == 2
    assert "memorization" in capsys.readouterr().err
    assert main([str(results), "--only", "memorization", "--watch"]) == 2


def test_one_figure_is_not_written_through_a_link(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, figures = tmp_path / "kept", tmp_path / "out" / "figures"
    kept.write_text("mine")
    figures.mkdir(parents=True)
    (figures / "memorization.pdf").symlink_to(kept)
    given = [str(results), "--out", str(tmp_path / "out"), "--only", "memorization"]
    assert main(given) == 2
    assert "memorization.pdf: expected a file or a folder" in capsys.readouterr().err
    assert kept.read_text() == "mine"
