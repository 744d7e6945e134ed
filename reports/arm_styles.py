"""The colour and dashes of each arm, the same in every figure and in the page's views.

What an arm varies decides its colour: label noise has a sequential scale, destroyed inputs and
backward rules have colours of their own, and any other first key takes colours in the order of the
study's config, so that an unfinished study has the colours that it will end with. Dashes tell arms
of one colour apart, in the config's order of what the colour leaves open: arms that differ only in
their colour's facts have the same dashes. There are eight dashes; the ninth arm of a colour has the
first's again.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import pandas as pd
from pydantic_core import to_jsonable_python

from reports.read import Records, parsed
from reports.style import COLOURS, DASHES, noise_colour
from study.runs.settings import Optimizer
from study.runs.study import MOST_RUNS

NOISE, INPUTS, RULE = "data.label_noise", "data.inputs", "model.backward"
RULES = {
    "jacobian": COLOURS[0],
    "identity": COLOURS[2],
    "fused": COLOURS[1],
    "autograd": COLOURS[3],
}
DESTROYED = {
    "shuffled_pixels": COLOURS[2],
    "random_pixels": COLOURS[5],
    "gaussian": COLOURS[7],
}
Name = TypeVar("Name", bound=Hashable)
Facts = Mapping[Any, Any]
Words = tuple[str, ...]


class ArmStyle(NamedTuple):
    """How an arm is drawn: a colour, and dashes as seaborn takes them, empty for a whole line."""

    colour: str
    dashes: Any


def arm_styles(records: Records) -> dict[tuple[str, str], ArmStyle]:
    """Return the style of each arm, by its study and its words, whatever the order of the runs.

    Dashes repeat after the eight of `reports.style.DASHES`: of more arms of one colour, some look
    alike.
    """
    styles = {}
    for study, runs in records.runs.groupby("study", sort=False):
        keys = [key for key in records.varied.get(str(study), []) if key in runs]
        config = records.studies.get(records.folders.get(str(study), ""), {})
        for arm, style in _styles(runs, keys, config.get("vary") or {}).items():
            styles[str(study), arm] = style
    return styles


def arm_colours(records: Records) -> dict[tuple[str, str], str]:
    """Return the colour of each arm, by its study and its words."""
    return {arm: style.colour for arm, style in arm_styles(records).items()}


def condition_colour(inputs: str, noise: float) -> str:
    """Return the colour of a condition: destroyed inputs have their own, and noise has a scale."""
    return DESTROYED.get(inputs) or noise_colour(noise)


def dashes_apart(colours: Mapping[Name, str]) -> dict[Name, int]:
    """Return the number of each name among those of its colour, the first's being 0: a whole line.

    It counts on beyond the last of `reports.style.DASHES`, where dashes repeat.
    """
    seen: dict[str, int] = {}
    places = {}
    for name, colour in colours.items():
        places[name] = seen[colour] = seen.get(colour, -1) + 1
    return places


def rule_colour(rule: str, rules: Sequence[str] = ()) -> str:
    """Return a backward rule's colour; ``rules`` of your own share what the others leave."""
    own = [each for each in rules if each not in RULES]
    return RULES.get(rule) or COLOURS[4 + own.index(rule) % 4]


def _styles(runs: pd.DataFrame, keys: Sequence[str], vary: Facts) -> dict[str, ArmStyle]:
    """Return the style of each arm of one study, by its words."""
    shown = [key for key in (INPUTS, NOISE) if key in keys]  # by the colour
    shown = shown or [key for key in (RULE, *keys) if key in keys][:1]
    rows = runs.drop_duplicates("arm").to_dict("records")
    arms = [*_planned(vary), *sorted(rows, key=lambda row: _words(row, keys))]
    place = {words: n for n, words in enumerate(dict.fromkeys(_words(arm, shown) for arm in arms))}
    colours = _colours(rows[0], shown, list(place))
    # What the colour shows varies slowest, so that what it leaves open has one order in each.
    arms.sort(key=lambda arm: place[_words(arm, shown)])
    coloured = {_words(arm, keys): colours[_words(arm, shown)] for arm in arms}
    dashes = dashes_apart(coloured)
    named = {str(row["arm"]): _words(row, keys) for row in rows}
    return {
        arm: ArmStyle(coloured[words], DASHES[dashes[words] % len(DASHES)])
        for arm, words in named.items()
    }


def _planned(vary: Facts) -> list[Facts]:
    """Return the varied facts of each arm that a config asks for, in its order."""
    axes = [
        [_optimizer(value) if key == "optimizer" else {key: value} for value in values]
        for key, values in vary.items()
    ]
    # A damaged config may ask for any number.
    arms = itertools.islice(itertools.product(*axes), MOST_RUNS)
    return [{key: value for facts in arm for key, value in facts.items()} for arm in arms]


def _optimizer(whole: Facts) -> Facts:
    values = Optimizer(**to_jsonable_python(whole)).values()
    return {f"optimizer.{key}": value for key, value in values.items()}


def _words(facts: Facts, keys: Sequence[str]) -> Words:
    """Return facts in words, which are the same of a config's 0 and of a record's 0.0."""
    values = [parsed(facts.get(key)) for key in keys]
    return tuple(f"{each:.12g}" if isinstance(each, float) else str(each) for each in values)


def _colours(run: Facts, shown: Sequence[str], order: list[Words]) -> dict[Words, str]:
    """Return the colour of each value of what colours show; ``run`` has what does not vary."""
    if NOISE in shown or INPUTS in shown:
        facts = {words: {**run, **dict(zip(shown, words, strict=True))} for words in order}
        # A damaged config's noise may be no number.
        return {
            words: condition_colour(each[INPUTS], pd.to_numeric(each[NOISE], errors="coerce"))
            for words, each in facts.items()
        }
    if RULE in shown:
        rules = [rule for (rule,) in order]
        return {(rule,): rule_colour(rule, rules) for rule in rules}
    return {words: COLOURS[number % len(COLOURS)] for number, words in enumerate(order)}
