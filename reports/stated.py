"""Says of each claim whether it stood in its ledger, word for word, before its runs began."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reports.read import Records
from reports.verdicts import Verdict
from study.base.errors import BadInput
from study.records.ledgers import SHIPPED, read_ledgers, read_statement


def stated(
    verdicts: Sequence[Verdict], records: Records, more_claims: Sequence[Path] = ()
) -> dict[str, str]:
    """Return a sentence or more for each claim, by its id; none where it rests on no run.

    What a study's folder says was written as its first run began, see `study.records.ledgers`.
    """
    ledgers = read_ledgers([SHIPPED, *map(str, more_claims)])
    today = {name: claim for each in ledgers for name, claim in each["claims"].items()}
    said: dict[str, str] = {}
    for verdict in verdicts:
        name = verdict.claim.id
        ids = verdict.runs.to_numpy().ravel()
        studies = set(records.runs.loc[records.runs["run"].isin(ids), "study"])
        folders = [folder for study, folder in records.folders.items() if study in studies]
        lines = [in_folder(name, today.get(name), Path(folder)) for folder in folders]
        said[name] = " ".join(lines)
    return said


def in_folder(name: str, today: Mapping[str, Any] | None, folder: Path) -> str:
    """Return whether a claim, as it stands today, was stated before a folder's first run began."""
    try:
        found = read_statement(folder)
    except BadInput as fault:
        return f"When it was stated is not known: {fault}."
    if found is None:
        return f"When it was stated is not known: {folder.name} does not say what it began with."
    began = f"the first run of {folder.name} began on {found['date'][:10]}"
    then = found["claims"].get(name)
    if then is None:
        return f"Stated after these runs: {began}, without this claim."
    if today is None or then["sha256"] == today["sha256"]:
        return f"Stated before these runs: {began}, with this claim word for word."
    return f"Stated after these runs: {began}, and then {_changes(then['entry'], today['entry'])}."


def _changes(then: Mapping[str, Any], today: Mapping[str, Any]) -> str:
    """Return what was changed in a claim: what its keys said, and what they say."""
    changed = [key for key in dict.fromkeys([*then, *today]) if then.get(key) != today.get(key)]
    return ", ".join(
        f"{key} changed from {_written(then.get(key))} to {_written(today.get(key))}"
        for key in changed
    )


def _written(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
