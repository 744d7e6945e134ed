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

from study.base.errors import BadInput
from study.base.files import sha256
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


def statement(ledgers: Sequence[Mapping[str, Any]]) -> bytes:
    """Return what claims.json says today."""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"date": date, "ledgers": ledgers}, indent=1, ensure_ascii=False).encode()


def read_statement(folder: Path) -> dict[str, Any] | None:
    """Return what a folder's claims.json says; None where there is none.

    Raises
    ------
    BadInput
        A file that is no statement.
    """
    path = folder / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        claims = {k: v for each in found["ledgers"] for k, v in each["claims"].items()}
        return {"date": str(found["date"]), "claims": claims}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadInput(str(path), "the claims that a study began with", hint=str(error)) from None
