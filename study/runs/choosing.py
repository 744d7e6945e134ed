"""Chooses some of a study's runs: by their ids, and by facts such as ``data.label_noise=1``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from study.base.command import Parser
from study.base.errors import BadInput, nearest, shown
from study.runs import yaml_text
from study.runs.run import Facts

WHERE = "KEY=VALUE"


def add_options(parser: Parser) -> None:
    """Add ``--run ID`` and ``--where KEY=VALUE`` to a command, which `chosen` takes."""
    more: dict[str, Any] = {"action": "append", "default": []}
    parser.add_argument("--run", metavar="ID", help="the run with this id; repeatable", **more)
    parser.add_argument("--where", metavar=WHERE, help="runs with this fact; repeatable", **more)


def chosen(runs: Mapping[str, Facts], where: Sequence[str], ids: Sequence[str]) -> list[str]:
    """Return the ids of the runs that are named and meet every condition, in the given order.

    Parameters
    ----------
    runs
        Each run's facts by dotted key, by its id.
    where
        Conditions ``KEY=VALUE``: a fact's dotted key, and a value in YAML. All must hold.
    ids
        Ids of runs; none of them leaves all runs to ``where``.

    Raises
    ------
    BadInput
        A condition of another form, an unknown key or id, or nothing that meets the conditions.

    Examples
    --------
    >>> runs = {"a": {"seed": 0, "data.label_noise": 1.0}, "b": {"seed": 1, "data.label_noise": 0}}
    >>> chosen(runs, ["data.label_noise=1"], []), chosen(runs, [], ["b"])
    (['a'], ['b'])
    """
    for each in ids:
        if each not in runs:
            hint = nearest(each, runs) or "see study status"
            raise BadInput("--run", f"one of {len(runs)} recorded runs", each, hint)
    found = [run for run in runs if not ids or run in ids]
    for condition in where:
        key, value, text = _parsed(condition, runs)
        there = {run: runs[run].get(key) for run in found}
        met = [run for run in found if _same(there[run], value) or there[run] == text]
        if not met:
            values = list(dict.fromkeys(map(shown, there.values())))
            expected = f"{key} as a run has it: {', '.join(values[:8])}{', …' * (len(values) > 8)}"
            raise BadInput("--where", expected, text)
        found = met
    return found


def _parsed(condition: str, runs: Mapping[str, Facts]) -> tuple[str, Any, str]:
    """Return a condition's key, its value, and the value's text."""
    key, equals, text = condition.partition("=")
    if not equals:
        raise BadInput("--where", f"{WHERE}, e.g. data.label_noise=1", condition)
    known = list(dict.fromkeys(key for facts in runs.values() for key in facts))
    if key not in known:
        hint = nearest(key, known) or nearest(key, [each.rpartition(".")[2] for each in known])
        raise BadInput("--where", "a fact of these runs, e.g. data.label_noise=1", key, hint)
    return key, yaml_text.load(text, "--where"), text


def _same(a: Any, b: Any) -> bool:
    """Tell whether two values are equal; true is not 1."""
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)
