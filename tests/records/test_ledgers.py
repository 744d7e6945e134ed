"""What was claimed when a folder's first run began is written down, and never again."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from study.base.errors import BadInput
from study.fit import main as fit
from study.records.ledgers import hashed, ledger_file, read_ledgers, read_statement

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
