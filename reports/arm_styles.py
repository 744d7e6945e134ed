"""The colour and dashes of each arm, the same in every figure and in the page's views.

What an arm varies decides them: label noise has a sequential scale, backward rules have colours of
their own, and any other first key takes colours in order; whatever else varies takes dashes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from reports.read import Records
from reports.style import COLOURS, DASHES, noise_colour

NOISE, RULE = "data.label_noise", "model.backward"
RULES = {
    "jacobian": COLOURS[0],
    "identity": COLOURS[2],
    "fused": COLOURS[1],
    "autograd": COLOURS[3],
}


class ArmStyle(NamedTuple):
    """How an arm is drawn: a colour, and dashes as seaborn takes them, empty for a whole line."""

    colour: str
    dashes: Any


def arm_styles(records: Records) -> dict[tuple[str, str], ArmStyle]:
    """Return the style of each arm, by its study and its words."""
    styles: dict[tuple[str, str], ArmStyle] = {}
    for study, runs in records.runs.groupby("study", sort=False):
        keys = [key for key in records.varied.get(str(study), []) if key in runs]
        arms = runs.drop_duplicates("arm")
        first = next((key for key in (NOISE, RULE) if key in keys), keys[0] if keys else None)
        colours = _colours(arms, first)
        rest = _texts(arms, [key for key in keys if key != first])
        order = list(dict.fromkeys(rest))
        for arm, colour, other in zip(arms["arm"], colours, rest, strict=True):
            dashes = DASHES[order.index(other) % len(DASHES)]
            styles[str(study), arm] = ArmStyle(colour, dashes)
    return styles


def _colours(arms: pd.DataFrame, key: str | None) -> Sequence[str]:
    if key is None:
        return [COLOURS[0]] * len(arms)
    if key == NOISE:
        return [noise_colour(float(value)) for value in arms[key]]
    values = list(dict.fromkeys(arms[key]))
    found: Mapping[Any, str] = RULES if key == RULE and set(values) <= RULES.keys() else {}
    return [found.get(v) or COLOURS[values.index(v) % len(COLOURS)] for v in arms[key]]


def _texts(arms: pd.DataFrame, keys: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(str(row[key]) for key in keys) for row in arms.to_dict("records")]
