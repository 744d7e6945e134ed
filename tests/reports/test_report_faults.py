"""Folders, options and records that `reports` cannot take whole, and machines that differ."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from processes import ASCII, command, with_closed

from reports import build
from reports.__main__ import main
from reports.drawing import draw_all
from study.fit import main as fit

LEFT_OUT = "left out: figure destroyed_inputs: needs a study that varies data.inputs\n"

STATED = "id: m, family: f, stated: 2026-11-28, margin_from: ours, config: real"


def test_a_figure_without_data_is_named_and_the_rest_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "one.yaml"
    config.write_text(
        "name: one\ndata: {dataset: digits, train_examples: 100}\n"
        "model: {hidden: [8]}\ntrainer: {max_epochs: 1}\n"
    )
    out = tmp_path / "one"
    assert fit(["--config", str(config), "--out", str(out)]) == 0
    assert main([str(out)]) == 0
    said = capsys.readouterr().err
    assert "figure loss_backward: needs a study that varies model.backward" in said
    assert (out / "report" / "figures" / "learning_curves.pdf").is_file()
    assert "figure loss_backward" in (out / "report" / "index.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_report_into_a_closed_pipe_is_written(stream: str, results: Path, tmp_path: Path) -> None:
    status, _ = with_closed(stream, "-m", "reports", str(results), "--out", str(tmp_path))
    assert status == 0
    assert (tmp_path / "index.html").is_file()


@pytest.mark.slow
def test_a_locale_that_is_not_utf8_changes_no_file(
    report: Path, results: Path, tmp_path: Path
) -> None:
    mine, sentence = tmp_path / "mine.yaml", "Größer als ½."
    mine.write_text(
        f"- {{{STATED}, sentence: {sentence}, above: 0, metric: test_accuracy, against: 0}}\n",
        encoding="utf-8",
    )
    given = (str(results), "--claims", str(mine), "--out", "Läufe – 1")
    done = command(*given, cwd=tmp_path, **ASCII)
    assert (done.returncode, done.stderr) == (0, LEFT_OUT)
    assert done.stdout.endswith("index.html\n")
    out = tmp_path / "Läufe – 1"
    for name in ("claims.md", "index.html", "tables/verdicts.csv", "tables/claims.tex"):
        assert sentence in (out / name).read_text(encoding="utf-8")
    for path in [*(report / "figures").iterdir(), *(report / "tables").glob("arms.*")]:
        if path.stem != "forest":  # which has one claim more
            assert (out / path.relative_to(report)).read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_a_folder_that_a_locale_cannot_name_is_read_all_the_same(
    results: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "Läufe"
    shutil.copytree(results, folder)
    done = command(str(folder), cwd=tmp_path, **ASCII)
    assert (done.returncode, done.stderr) == (0, LEFT_OUT)
    assert (folder / "report" / "index.html").is_file()


# Bad input


def test_a_figure_that_is_unknown_is_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--figures", "memorisation"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("reports: --figures: expected one of learning_curves, memorization, ")
    assert line.endswith("found 'memorisation'; did you mean 'memorization'?")


def test_folders_that_are_no_studies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "expected a study's folder" in capsys.readouterr().err


def test_a_study_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "study.yaml").write_text("name: empty\n")
    assert main([str(tmp_path)]) == 2
    assert "expected at least one run that ended" in capsys.readouterr().err


@pytest.fixture
def one_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a report have one figure, where figures are not what is tested."""
    monkeypatch.setattr(build, "draw_all", lambda names, *more: draw_all(names[-1:], *more))


@pytest.mark.usefixtures("one_figure")
def test_a_damaged_part_is_named_and_the_rest_is_reported(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    (copy / "runs" / "torn.parquet").write_bytes(b"PAR1 torn")
    assert main([str(copy)]) == 0
    assert "torn.parquet" in capsys.readouterr().err
    assert "torn.parquet" in (copy / "report" / "index.html").read_text()


@pytest.mark.usefixtures("one_figure")
def test_of_several_folders_the_readable_ones_are_reported(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "study.yaml").write_text("name: empty\n")
    other, out = tmp_path / "no study", tmp_path / "r"
    assert main([str(other), str(results), str(tmp_path / "empty"), "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert "no study: expected a study's folder" in said
    assert "no run has ended yet" in said
    assert "no run has ended yet" in (out / "index.html").read_text()


@pytest.mark.slow
def test_records_without_a_column_give_what_can_be_given(results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    for path in (copy / "history").iterdir():
        table = pq.read_table(path)
        pq.write_table(table.drop_columns(["gradient_exact_cosine", "gradient_norm"]), path)
    assert main([str(copy)]) == 0
    ledger = pd.read_csv(copy / "report" / "tables" / "verdicts.csv")
    assert ledger["verdict"].iloc[0] == "not run"
    assert (copy / "report" / "figures" / "memorization.pdf").is_file()


def test_an_unknown_metric_in_a_claim(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(f"- {{{STATED}, sentence: s, above: 0, metric: test_acuracy, against: 0}}\n")
    assert main([str(results), "--claims", str(mine), "--out", str(tmp_path / "r")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("reports: claim m.metric: expected one of train_cross_entropy, ")
    assert line.endswith("found 'test_acuracy'; did you mean 'test_accuracy'?")
