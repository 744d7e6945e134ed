"""Claims as data: a sentence, the contrast that would show it, and what would count as showing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from study.base.errors import BadInput, unknown_key

SHIPPED = Path(__file__).with_name("claims.yaml")
KINDS = ("greater", "less", "differs", "equivalent", "fraction")
EPOCHS = ("first", "last", "best", "fit", "largest", "smallest")


@dataclass(frozen=True)
class Claim:
    """A claim, as claims.yaml states it.

    Attributes
    ----------
    id, sentence, source
        Its name, what was claimed, and where.
    kind
        ``greater`` or ``less``: the mean effect lies beyond ``margin``. ``differs``: it is not 0.
        ``equivalent``: it lies ``within`` two bounds. ``fraction``: the share of runs whose metric
        is at least ``against`` is above ``margin``.
    metric, at
        A column of ``history`` and the epoch to take it at (see `reports.read.Records.values`), or
        a column of ``runs``.
    a, b
        Facts that choose the runs of each arm, dotted key to value; runs are paired by seed and by
        every other fact.
    where
        Facts that both arms share.
    against
        In place of ``b``: a number, or the same runs' own value at another epoch.
    effect
        ``difference`` a - b, or ``log_ratio`` log(a / b).
    margin, within
        As ``kind`` uses them, on the scale of the effect.
    config
        The config whose runs would show it.
    """

    id: str
    sentence: str
    kind: str
    metric: str
    source: str = ""
    at: str | int = "last"
    a: Mapping[str, Any] = field(default_factory=dict)
    b: Mapping[str, Any] | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    against: str | float | None = None
    effect: str = "difference"
    margin: float = 0.0
    within: tuple[float, float] | None = None
    config: str | None = None

    def __post_init__(self) -> None:
        name = f"claim {self.id}"
        if self.kind not in KINDS:
            raise BadInput(f"{name} kind", f"one of {', '.join(KINDS)}", self.kind)
        if self.effect not in ("difference", "log_ratio"):
            raise BadInput(f"{name} effect", "difference or log_ratio", self.effect)
        for key, value in (("at", self.at), ("against", self.against)):
            if isinstance(value, str) and value not in EPOCHS:
                raise BadInput(f"{name} {key}", f"one of {', '.join(EPOCHS)}, or a number", value)
        if (self.b is None) == (self.against is None):
            raise BadInput(name, "either b or against", "both" if self.b is not None else "neither")
        if (self.kind == "equivalent") != (self.within is not None):
            raise BadInput(f"{name} within", "two bounds, for an equivalence only", self.within)
        if self.within is not None and not self.within[0] < self.within[1]:
            raise BadInput(f"{name} within", "a lower and a higher bound", list(self.within))
        if self.kind == "fraction":
            if not isinstance(self.against, (int, float)):
                raise BadInput(f"{name} against", "a number, for a fraction of runs", self.against)
            if not 0 <= self.margin <= 1:
                raise BadInput(f"{name} margin", "a share in [0, 1]", self.margin)


def load_claims(paths: Sequence[Path] = (SHIPPED,)) -> list[Claim]:
    """Read claims.

    Raises
    ------
    BadInput
        A file that is not a list of claims, an unknown key, a value out of its range, an id twice.
    """
    claims: list[Claim] = []
    known = [field.name for field in dataclasses.fields(Claim)]
    for path in paths:
        try:
            entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise BadInput(str(path), "a file of claims", " ".join(str(error).split())) from None
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise BadInput(str(path), "a list of claims, each a mapping", type(entries).__name__)
        for number, entry in enumerate(entries):
            where = f"{path}[{number}]"
            for key in entry:
                if key not in known:
                    raise unknown_key(f"{where} {key}", [f"{where} {name}" for name in known])
            try:
                if entry.get("within") is not None:
                    low, high = entry["within"]
                    entry["within"] = (float(low), float(high))
                claims.append(Claim(**entry))
            except (TypeError, ValueError) as error:
                raise BadInput(where, "a claim", str(error)) from None
    ids = [claim.id for claim in claims]
    for claim_id in ids:
        if ids.count(claim_id) > 1:
            raise BadInput(f"claim {claim_id}", "an id of its own", f"{ids.count(claim_id)} claims")
    return claims
