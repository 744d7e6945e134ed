"""The colour and dashes of each arm, the same in every figure and in the page's views.

What an arm varies decides its colour: label noise has a sequential scale, destroyed inputs and
backward rules have colours of their own, and any other first key takes colours in the order of the
study's config, so that an unfinished study has the colours that it will end with. Dashes tell arms
of one colour apart.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import pandas as pd

from reports.read import Records, parsed
from reports.style import COLOURS, DASHES, noise_colour

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


class ArmStyle(NamedTuple):
    """How an arm is drawn: a colour, and dashes as seaborn takes them, empty for a whole line."""

    colour: str
    dashes: Any


def arm_styles(records: Records) -> dict[tuple[str, str], ArmStyle]:
    """Return the style of each arm, by its study and its words."""
    colours = arm_colours(records)
    styles: dict[tuple[str, str], ArmStyle] = {}
    for study in records.runs["study"].unique():
        its = {arm: colour for arm, colour in colours.items() if arm[0] == study}
        dashes = dashes_apart(its)
        styles |= {arm: ArmStyle(its[arm], DASHES[dashes[arm] % len(DASHES)]) for arm in its}
    return styles


def arm_colours(records: Records) -> dict[tuple[str, str], str]:
    """Return the colour of each arm, by its study and its words."""
    colours = {}
    for study, runs in records.runs.groupby("study", sort=False):
        keys = [key for key in records.varied.get(str(study), []) if key in runs]
        config = records.studies.get(records.folders.get(str(study), ""), {})
        arms = runs.drop_duplicates("arm")
        for arm, colour in zip(arms["arm"], _colours(arms, keys, config), strict=True):
            colours[str(study), str(arm)] = colour
    return colours


def condition_colour(inputs: str, noise: float) -> str:
    """Return the colour of a condition: destroyed inputs have their own, and noise has a scale."""
    return DESTROYED.get(inputs) or noise_colour(noise)


def dashes_apart(colours: Mapping[Name, str]) -> dict[Name, int]:
    """Return the place in `DASHES` of each name, the first of each colour having a whole line."""
    seen: dict[str, int] = {}
    places = {}
    for name, colour in colours.items():
        places[name] = seen[colour] = seen.get(colour, -1) + 1
    return places


def rule_colour(rule: str, rules: Sequence[str] = ()) -> str:
    """Return a backward rule's colour; ``rules`` of your own share what the others leave."""
    own = [each for each in rules if each not in RULES]
    return RULES.get(rule) or COLOURS[4 + own.index(rule) % 4]


def _colours(arms: pd.DataFrame, keys: Sequence[str], config: Mapping[str, Any]) -> list[str]:
    if NOISE in keys or INPUTS in keys:
        return [condition_colour(*each) for each in arms[[INPUTS, NOISE]].to_numpy().tolist()]
    if not keys:
        return [COLOURS[0]] * len(arms)
    key = RULE if RULE in keys else keys[0]
    values = [parsed(value) for value in arms[key]]
    given = (config.get("vary") or {}).get(key, [])
    order = [*given, *(value for value in values if value not in given)]
    if key == RULE:
        return [rule_colour(value, order) for value in values]
    return [COLOURS[order.index(value) % len(COLOURS)] for value in values]
