"""How two recorded runs differ: in their facts, their environments and their results."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from study.base.errors import BadInput, nearest
from study.records.reading import read_config, read_environment, records_by_run
from study.runs.run import Run

Changes = dict[str, tuple[Any, Any]]  # by key, both values; ... stands for none

# A run's time is no result: it differs each time. What names a run is not its result either.
NO_RESULTS = ("run", "facts", "environment", "seconds")


class RecordedRun(NamedTuple):
    """A run as its folder has it: its row of ``runs``, its history and its environment."""

    row: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    environment: Mapping[str, Any]


class Gap(NamedTuple):
    """How two histories differ in one column, over the epochs that both have.

    Attributes
    ----------
    epochs, of
        In how many epochs they differ, and of how many.
    first
        The first of those.
    largest
        The largest absolute difference; infinite where one of two is no finite number.
    """

    epochs: int
    of: int
    first: int
    largest: float


class Difference(NamedTuple):
    """In what two runs differ; empty mappings where they do not.

    Attributes
    ----------
    facts, environment, results
        Both values by key, nested keys dotted.
    history
        By column.
    """

    facts: Changes
    environment: Changes
    results: Changes
    history: dict[str, Gap]


def read_runs(folder: Path, runs: Collection[str] | None = None) -> dict[str, RecordedRun]:
    """Read a study's runs, or those that are asked for and recorded, by id.

    Raises
    ------
    BadInput
        No study's folder, or a damaged environment.
    """
    read_config(folder)
    found = records_by_run(folder, runs)
    names = {row.get("environment", "") for row, _ in found.values()}
    environments = {name: read_environment(folder, name) for name in sorted(names)}
    return {
        run: RecordedRun(row, history, environments[row.get("environment", "")])
        for run, (row, history) in found.items()
    }


def difference(a: RecordedRun, b: RecordedRun) -> Difference:
    """Return in what two runs differ.

    Examples
    --------
    >>> one = RecordedRun({"run": "x", "facts": "{}", "status": "fitted"}, [], {"threads": 1})
    >>> two = one._replace(environment={"threads": 2})
    >>> difference(one, two).environment
    {'threads': (1, 2)}
    >>> any(difference(one, one))
    False
    """
    # Records that are older than a fact have its value all the same.
    older = Run.absent(optimizer="")
    facts = [{**older, **json.loads(each.row["facts"])} for each in (a, b)]
    results = [_results(each, {*facts[0], *facts[1]}) for each in (a, b)]
    return Difference(
        {} if a.row["run"] == b.row["run"] else changes(*facts),
        changes(_flat(a.environment), _flat(b.environment)),
        changes(*results),
        gaps(a.history, b.history),
    )


def changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> Changes:
    """Return the keys whose values two mappings do not share, with both values.

    Examples
    --------
    >>> changes({"lr": 0.1, "eps": float("nan")}, {"lr": 0.2, "eps": float("nan"), "beta": 0})
    {'lr': (0.1, 0.2), 'beta': (Ellipsis, 0)}
    """
    both = {key: (a.get(key, ...), b.get(key, ...)) for key in dict.fromkeys([*a, *b])}
    return {key: pair for key, pair in both.items() if not _same(*pair)}


def gaps(a: Iterable[Mapping[str, Any]], b: Iterable[Mapping[str, Any]]) -> dict[str, Gap]:
    """Return how two histories differ, by column that both have.

    Examples
    --------
    >>> gaps([{"epoch": 0, "loss": 2.0}, {"epoch": 1, "loss": 1.0}],
    ...      [{"epoch": 0, "loss": 2.0}, {"epoch": 1, "loss": 1.5}])
    {'loss': Gap(epochs=1, of=2, first=1, largest=0.5)}
    """
    other = {row["epoch"]: row for row in b}
    pairs = [(row, other[row["epoch"]]) for row in a if row["epoch"] in other]
    found: dict[str, Gap] = {}
    columns = _columns(row for row, _ in pairs)
    others = _columns(its for _, its in pairs)
    for column in [name for name in columns if name in others]:
        values = [(row["epoch"], row.get(column), its.get(column)) for row, its in pairs]
        apart = [(epoch, _apart(x, y)) for epoch, x, y in values if not _same(x, y)]
        if apart:
            largest = max(distance for _, distance in apart)
            found[column] = Gap(len(apart), len(pairs), apart[0][0], largest)
    return found


def _results(run: RecordedRun, facts: Collection[str]) -> dict[str, Any]:
    """Return what came out of a run, and which epochs and columns its history has."""
    outcome = {
        key: value
        for key, value in run.row.items()
        if key not in facts and key not in NO_RESULTS and value is not None
    }
    outcome["evaluated epochs"] = [row["epoch"] for row in run.history]
    return outcome | {f"history {name}": "recorded" for name in _columns(run.history)}


def _columns(history: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the columns of a history that hold something: merged parts have empty ones."""
    named = (key for row in history for key, value in row.items() if value is not None)
    return [name for name in dict.fromkeys(named) if name not in ("run", "epoch")]


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _same(a: Any, b: Any) -> bool:
    return bool(a == b) or (_is_none(a) and _is_none(b))


def _is_none(value: Any) -> bool:
    """Tell whether a value is no number or is not there: parquet has either for an empty cell."""
    return value is None or value != value


def _apart(a: Any, b: Any) -> float:
    distance = math.inf if _is_none(a) or _is_none(b) else abs(a - b)
    return math.inf if math.isnan(distance) else distance


def named_place(name: str, inside: Path | None) -> tuple[Path, str | None]:
    """Return the folder that an argument names, and the run's id, or None for the whole folder."""
    path = Path(name)
    if inside is not None and len(path.parts) == 1:
        return inside, name
    if (path / "study.yaml").is_file():
        return path, None
    if (path.parent / "study.yaml").is_file():
        return path.parent, path.name
    hint = "" if inside else "give the folder of an id with --in FOLDER"
    raise BadInput(name, "a study's folder, FOLDER/ID or an id", hint=hint)


def read_run(folder: Path, run: str) -> RecordedRun:
    """Return one run of a folder.

    Raises
    ------
    BadInput
        The folder has no such run.
    """
    found = read_runs(folder, {run})
    if run not in found:
        known = list(read_runs(folder))
        raise BadInput(
            run, f"one of {len(known)} runs recorded in {folder}", hint=nearest(run, known)
        )
    return found[run]
