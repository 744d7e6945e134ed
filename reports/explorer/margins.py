"""What the view of margins shows: each judged claim's effects, its interval and its margin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from reports.verdicts import Verdict


def movable_margins(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Return the judged claims whose margin can be moved, on the scale on which they are tested.

    A share is none: it holds only where every run does it, which no interval says.
    """
    return [
        _entry(each)
        for each in verdicts
        if math.isfinite(each.interval.high - each.interval.low)
        and not each.claim.statistic.of_runs
    ]


def _entry(verdict: Verdict) -> dict[str, Any]:
    claim, pairs = verdict.claim, verdict.pairs
    return {
        "id": claim.id,
        "sentence": claim.sentence,
        "asked": claim.asked,
        "margins": list(claim.margins),
        "ratio": claim.effect == "ratio",
        "unit": claim.statistic.word,
        "verdict": verdict.verdict,
        "mean": verdict.mean,
        "interval": list(verdict.interval),
        # Of a claim about other images, too, which has to hold by both.
        "images": [_plain(end) for end in verdict.images] if claim.of_images else None,
        "seeds": [
            {"seed": int(row["seed"]), **{k: _plain(row[k]) for k in ("a", "b", "effect")}}
            for row in pairs.to_dict("records")
        ],
    }


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(f"{value:.6g}")
