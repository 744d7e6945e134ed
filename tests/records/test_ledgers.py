"""What was claimed when a folder's first run began is written down, and never again."""

from __future__ import annotations

import json
import os
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from study.archive import main as archive
from study.base.errors import BadInput
from study.fit import main as fit
from study.merge import main as merge
from study.records.ledgers import hashed, ledger_file, read_ledgers, read_statement
from study.verify import main as records_of

SMALL = """
name: small
data: {dataset: digits, train_examples: 100}
model: {hidden: [8]}
trainer: {max_epochs: 1}
wandb: {mode: off}
"""
MINE = "- {id: mine, below: 1}\n"


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "mine.yaml").write_text(MINE)
    assert train(tmp_path) == 0
    return tmp_path


def train(folder: Path, *more: str) -> int:
    words = ["--config", str(folder / "small.yaml"), "--out", str(folder / "out")]
    return fit([*words, "--claims", f"[shipped, {folder / 'mine.yaml'}]", *more])


def test_the_first_run_writes_each_ledger_down_with_its_claims_and_the_date(begun: Path) -> None:
    shipped, mine = json.loads((begun / "out" / "claims.json").read_text())["ledgers"]
    assert shipped["sha256"] == sha256(ledger_file("shipped").read_bytes()).hexdigest()
    assert len(shipped["claims"]) > 10
    assert mine["sha256"] == sha256(MINE.encode()).hexdigest()
    assert mine["claims"] == hashed([{"below": 1, "id": "mine"}], "")
    stated = read_statement(begun / "out")
    assert stated is not None
    assert stated["date"].startswith("20")
    assert stated["claims"]["mine"]["entry"] == {"id": "mine", "below": 1}


def test_later_runs_do_not_state_again_what_was_changed_since(begun: Path) -> None:
    before = (begun / "out" / "claims.json").read_bytes()
    (begun / "mine.yaml").write_text("- {id: mine, below: 2}\n")
    assert train(begun, "--seeds", "2") == 0
    assert (begun / "out" / "claims.json").read_bytes() == before


def test_a_folder_whose_runs_were_there_first_states_nothing(begun: Path) -> None:
    (begun / "out" / "claims.json").unlink()
    assert train(begun, "--seeds", "2") == 0
    assert read_statement(begun / "out") is None


def test_the_ledgers_decide_no_run(begun: Path) -> None:
    ids = {path.name for path in (begun / "out" / "weights").iterdir()}
    words = ["--config", str(begun / "small.yaml"), "--out", str(begun / "other")]
    assert fit([*words, "--claims", "[]"]) == 0
    assert {path.name for path in (begun / "other" / "weights").iterdir()} == ids
    assert json.loads((begun / "other" / "claims.json").read_text())["ledgers"] == []


def test_a_folder_that_is_begun_through_a_link_states_its_claims(begun: Path) -> None:
    (begun / "real").mkdir()
    (begun / "linked").symlink_to(begun / "real")
    assert fit(["--config", str(begun / "small.yaml"), "--out", str(begun / "linked")]) == 0
    assert read_statement(begun / "linked") is not None


@pytest.mark.parametrize("text", ["a: 1", "[1]", "- {sentence: no id}", "- {id: c, 1: a}", "[", ""])
def test_what_is_no_ledger_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(BadInput):
        read_ledgers([str(tmp_path / "mine.yaml")])


def test_a_missing_ledger_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    assert train(tmp_path) == 2
    assert "claims: expected the path of a ledger of claims" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_damaged_statement_is_refused(tmp_path: Path) -> None:
    (tmp_path / "claims.json").write_text('{"date": 1}')
    with pytest.raises(BadInput, match="the claims that a study began with"):
        read_statement(tmp_path)


def test_the_statement_is_archived(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = begun / "out" / "claims.json"
    assert archive([str(begun / "out")]) == 2  # the ledger's path is this machine's
    assert "expected no path of a machine" in capsys.readouterr().err
    for file in (path, begun / "out" / "study.yaml"):
        file.write_text(file.read_text().replace(f"{begun}/", ""))
    assert archive([str(begun / "out")]) == 0
    with zipfile.ZipFile(begun / "out.zip") as packed:
        assert packed.read("small/claims.json") == path.read_bytes()


def test_a_merged_folder_states_what_all_stated_and_when_the_first_began(begun: Path) -> None:
    (begun / "mine.yaml").write_text("- {id: mine, below: 2}\n")
    assert train(begun, "--out", str(begun / "other")) == 0
    first, other = begun / "out", begun / "other"
    early = json.loads((first / "claims.json").read_text())
    (first / "claims.json").write_text(json.dumps({**early, "date": "2020-01-01"}))
    assert merge([str(other), str(first), "--out", str(begun / "both")]) == 0
    stated, before = read_statement(begun / "both"), read_statement(first)
    assert stated is not None
    assert before is not None
    assert stated["date"] == "2020-01-01"
    assert stated["claims"].keys() == before["claims"].keys() - {"mine"}
    assert records_of([str(begun / "both"), "--records"]) == 0
    (first / "claims.json").unlink()
    assert merge([str(other), str(first), "--out", str(begun / "again")]) == 0
    assert read_statement(begun / "again") is None


def test_an_edited_statement_is_found(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = begun / "out" / "claims.json"
    path.write_text(path.read_text().replace('"below": 1', '"below": 2'))
    assert records_of([str(begun / "out"), "--records"]) == 1
    said = capsys.readouterr().out
    assert f"{path}: expected the claims that a study began with; a claim differs" in said


@pytest.mark.parametrize("what", ["a FIFO", "a link"])
def test_no_statement_is_read_through_a_fifo_or_a_link(tmp_path: Path, what: str) -> None:
    path = tmp_path / "claims.json"
    os.mkfifo(path) if what == "a FIFO" else path.symlink_to("/etc/hostname")
    with pytest.raises(BadInput, match=f"expected a regular file; it is {what}"):
        read_statement(tmp_path)
