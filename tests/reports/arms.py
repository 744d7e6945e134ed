"""Records of two arms whose difference is known, and the verdict on a claim about them."""

from __future__ import annotations

from typing import Any

import numpy as np
from records import records

from reports.claims import Claim
from reports.read import Records
from reports.verdicts import Verdict, judge_all

ARMS = [{"model.backward": "identity"}, {"model.backward": "jacobian"}]
A, B = ARMS


def noise(seed: int, scale: float) -> float:
    return float(np.random.default_rng(seed).normal(0, scale))


def two_arms(gap: float, seeds: int = 12, scale: float = 0.1) -> Records:
    """Return records in which identity's training accuracy lies ``gap`` above jacobian's."""

    def value(seed: int, facts: Any, epoch: int) -> dict[str, float]:
        own = noise(1000 + seed, scale) + gap if facts == A else 0.0
        # What a seed does to both arms is far larger, and cancels in pairs.
        return {"train_accuracy": 0.5 + noise(seed, 0.1) / 10 + own}

    return records(seeds, ARMS, value)


def claim(**more: Any) -> Claim:
    return Claim("c", "a sentence", "train_accuracy", a=A, b=B, **more)


def verdict(claim: Claim, records: Records) -> Verdict:
    return judge_all([claim], records)[0]
