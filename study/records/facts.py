"""Makes a recorded run again from the facts in its row; nothing that they name is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from study.base.errors import BadInput
from study.runs.run import Run


def facts_in(text: Any, where: str) -> dict[str, Any]:
    """Return the facts in a cell of a row of ``runs``.

    Raises
    ------
    BadInput
        They are no JSON object.
    """
    try:
        facts = from_json(text)
        if not isinstance(facts, dict):
            raise TypeError(f"found {type(facts).__name__}")
    except (ValueError, TypeError) as error:
        raise BadInput(where, "facts as JSON", text, str(error)) from None
    return facts


def run_of(row: Mapping[str, Any], where: str, **more: Any) -> Run:
    """Return the run that a row of ``runs`` records, made again from its facts.

    Nothing that the facts name is imported.

    Parameters
    ----------
    row
        The row.
    where
        What errors name.
    more
        Settings beside the facts, by dotted key.

    Raises
    ------
    BadInput
        Its facts are none, have settings among them that are no facts, or do not give its id.
    """
    place = f"{where} run {row['run']}"
    facts = facts_in(row.get("facts"), place)
    for key in facts:
        if key in Run.no_facts():
            raise BadInput(f"{place} {key}", "facts alone", facts[key], "this is no fact of a run")
    try:
        run = Run.of_record({**facts, **more})
    except BadInput as fault:
        raise fault.under(place) from None
    except (TypeError, AttributeError, RecursionError) as error:
        raise BadInput(place, "a run's facts", hint=str(error)) from None
    if run.id != row["run"]:
        raise BadInput(place, "facts that give its id", run.id)
    return run
