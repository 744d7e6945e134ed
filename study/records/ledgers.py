"""Writes down, as a folder's first run begins, which claims were stated by then.

claims.json has the date and, for each ledger, the sha256 of its bytes and its claims, each with the
sha256 of its entry and the entry itself. Nothing here knows what a claim means: `reports` does.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from study.base.errors import BadInput
from study.base.files import read_regular, sha256
from study.runs import yaml_text

SHIPPED = "shipped"
FILE = "claims.json"


def ledger_file(name: str) -> Path:
    """Return the path of a ledger; ``shipped`` is the one that comes with the package."""
    return Path(
        str(importlib.resources.files("reports") / "claims.yaml" if name == SHIPPED else name)
    )


def read_ledgers(names: Sequence[str]) -> list[dict[str, Any]]:
    """Return each ledger's name, the sha256 of its bytes, and its claims as `hashed` gives them.

    Raises
    ------
    BadInput
        A ledger that cannot be read, or is no list of claims with ids.
    """
    found = []
    for name in names:
        try:
            content = ledger_file(name).read_bytes()
            text = content.decode()
        except (OSError, UnicodeDecodeError) as error:
            hint = f"{error}; {SHIPPED} is this package's own"
            raise BadInput("claims", "the path of a ledger of claims", name, hint) from None
        claims = hashed(yaml_text.load(text, name), name)
        found.append({"ledger": name, "sha256": sha256([content]), "claims": claims})
    return found


def hashed(entries: Any, name: str) -> dict[str, dict[str, Any]]:
    """Return claims by id: the ``sha256`` of each entry, however it is laid out, and the ``entry``.

    Examples
    --------
    >>> one = hashed([{"id": "c", "below": 1}], "a ledger")["c"]["sha256"]
    >>> one == hashed([{"below": 1, "id": "c"}], "the same, sorted")["c"]["sha256"]
    True
    """
    if not isinstance(entries, list) or not all(
        isinstance(each, Mapping) and isinstance(each.get("id"), str) for each in entries
    ):
        raise BadInput("claims", "a list of claims, each with its id", name)
    found = {}
    for entry in entries:
        # A block of text in YAML ends with a line break.
        kept = {k: v.strip() if isinstance(v, str) else v for k, v in entry.items()}
        try:
            canonical = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        except TypeError as error:  # keys that are texts and numbers
            raise BadInput("claims", "claims whose keys are texts", name, str(error)) from None
        found[entry["id"]] = {"sha256": sha256([canonical.encode()]), "entry": kept}
    return found


def statement(ledgers: Sequence[Mapping[str, Any]], date: str | None = None) -> bytes:
    """Return what claims.json says: the ledgers, and a date, which is today's by default."""
    date = date or datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"date": date, "ledgers": ledgers}, indent=1, ensure_ascii=False).encode()


def read_statement(folder: Path) -> dict[str, Any] | None:
    """Return what a folder's claims.json says, with all its claims; None where there is none.

    Raises
    ------
    BadInput
        A file that is no statement, or a claim that differs from its hash.
    """
    path = folder / FILE
    try:
        found = from_json(read_regular(path, top=True))
        claims = {k: v for each in found["ledgers"] for k, v in each["claims"].items()}
        for each in found["ledgers"]:
            true = hashed([claim["entry"] for claim in each["claims"].values()], FILE)
            if {k: v["sha256"] for k, v in true.items()} != {
                k: v["sha256"] for k, v in each["claims"].items()
            }:
                raise ValueError("a claim differs from its hash")
        return {"date": str(found["date"]), "ledgers": found["ledgers"], "claims": claims}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        if isinstance(error, BadInput) and error.key == str(path):
            raise
        raise BadInput(str(path), "the claims that a study began with", hint=str(error)) from None


def common_statement(folders: Sequence[Path]) -> bytes | None:
    """Return the first statement of some folders of one study, of the claims that are in all.

    None where one of them does not say what it began with.
    """
    stated = [found for folder in folders if (found := read_statement(folder)) is not None]
    if len(stated) < len(folders):
        return None
    first = min(stated, key=lambda each: each["date"])
    ledgers = [
        {
            **each,
            "claims": {
                name: claim
                for name, claim in each["claims"].items()
                if all(claim["sha256"] == s["claims"].get(name, {}).get("sha256") for s in stated)
            },
        }
        for each in first["ledgers"]
    ]
    return statement(ledgers, first["date"])
