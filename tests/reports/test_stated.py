"""The report says whether a claim stood, word for word, before the runs that it is judged by."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arms import claim, two_arms

from reports.stated import in_folder, stated
from reports.verdicts import judge_all
from study.records.ledgers import hashed, read_ledgers, statement

ENTRY: dict[str, Any] = {"id": "c", "sentence": "It shrinks.", "below": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ledger = {"ledger": "mine", "sha256": "0", "claims": hashed([ENTRY], "mine")}
    (tmp_path / "claims.json").write_bytes(statement([ledger]))
    return tmp_path


def said(folder: Path, **changes: Any) -> str:
    today = hashed([{**ENTRY, **changes}], "mine")["c"]
    return in_folder("c", today, folder)


def test_a_claim_that_stands_as_it_stood_was_stated_before(folder: Path) -> None:
    assert said(folder).startswith("Stated before these runs: the first run of ")
    assert said(folder).endswith("with this claim word for word.")


def test_of_a_claim_that_was_changed_it_says_what_was(folder: Path) -> None:
    found = said(folder, below=0.5, above=None, within=[0, 1])
    assert found.startswith("Stated after these runs: ")
    assert "below changed from 1 to 0.5, within changed from nothing to [0, 1]." in found


def test_a_new_claim_was_stated_after(folder: Path) -> None:
    found = in_folder("new", hashed([{"id": "new"}], "mine")["new"], folder)
    assert found.startswith("Stated after these runs: ")
    assert found.endswith("without this claim.")


def test_without_a_statement_nothing_is_claimed(folder: Path) -> None:
    (folder / "claims.json").unlink()
    assert said(folder).startswith("When it was stated is not known: ")
    (folder / "claims.json").write_text("{")
    assert said(folder).startswith("When it was stated is not known: ")


def test_the_report_says_it_of_a_trained_study(results: Path, report: Path) -> None:
    begun = json.loads((results / "claims.json").read_text())["ledgers"]
    assert [each["sha256"] for each in begun] == [
        each["sha256"] for each in read_ledgers(["shipped"])
    ]
    assert "python -m reports.remake" in (report / "index.html").read_text()


def test_of_two_folders_of_one_name_each_has_its_own_date(tmp_path: Path) -> None:
    made = two_arms(0.1)
    half = made.runs["seed"] < 6
    folders = {"old": "2026-01-02", "new": "2026-03-04"}
    for name, date in folders.items():
        (tmp_path / name).mkdir()
        ledger = {"ledger": "mine", "sha256": "0", "claims": hashed([ENTRY], "mine")}
        began = json.loads(statement([ledger])) | {"date": f"{date}T00:00:00+00:00"}
        (tmp_path / name / "claims.json").write_text(json.dumps(began))
    names = [f"made ({tmp_path / name})" for name in folders]
    records = replace(
        made,
        runs=made.runs.assign(study=np.where(half, *names)),
        studies={str(tmp_path / name): {"name": "made"} for name in folders},
        varied={name: [] for name in names},
    )
    verdicts = judge_all([claim(above=0)], records)
    both = stated(verdicts, records)["c"]
    assert "the first run of old began on 2026-01-02" in both
    assert "the first run of new began on 2026-03-04" in both
    of_one = replace(verdicts[0], runs=verdicts[0].runs[:6])
    assert "2026-03-04" not in stated([of_one], records)["c"]
