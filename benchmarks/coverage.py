"""How often intervals cover, and how often verdicts are wrong, simulated where the truth is known.

Effects of seeds are drawn from distributions whose mean is 0; answers right or wrong, of seeds by
images, from a model in which an answer is right where the sum of what its seed, its image and both
together bring is above 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from reports.statistics import (
    Interval,
    Values,
    seeds_needed,
    sign_flip_interval,
    student_interval,
)
from reports.two_way import two_way_interval

SEEDS = (6, 8, 10, 12, 20, 50)
SIMULATIONS = 8_000
LEVEL, CLAIMS = 0.95, 5
WIDE = 6.0  # standard deviations between the bounds of an equivalence
IMAGES, TABLES, RESAMPLES = 1_000, 2_000, 999

Row = tuple[str, str, list[float]]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Values]

EFFECTS: dict[str, Draw] = {
    "normal": lambda rng, size: rng.normal(size=size),
    "heavy tails (t, 3 degrees of freedom)": lambda rng, size: (
        rng.standard_t(3, size) / math.sqrt(3)
    ),
    "skewed (exponential)": lambda rng, size: rng.exponential(size=size) - 1,
}


class Answers(NamedTuple):
    """Standard deviations of what makes an answer right, and what separates two arms."""

    seeds: float
    gap: float = 0.0  # of a second arm, on the same seeds and images
    images: float = 1.0
    both: float = 0.4
    own: float = 0.1  # of images, for each arm by itself
    mean: float = 1.5

    def accuracy(self, gap: float) -> float:
        """Return the true accuracy of an arm."""
        parts = (self.seeds, self.images, self.both, self.own)
        return float(stats.norm.cdf((self.mean + gap) / math.hypot(*parts)))

    @property
    def truth(self) -> float:
        """Return the true accuracy, or the true difference from the second arm's."""
        return self.accuracy(self.gap) - (self.accuracy(0.0) if self.gap else 0.0)

    def draw(self, rng: np.random.Generator, seeds: int) -> Values:
        """Return answers, or their differences, [seed, image]."""
        shared = self.mean + self.images * rng.normal(size=(1, IMAGES))

        def arm(gap: float) -> Values:
            own = self.own * rng.normal(size=(1, IMAGES)) + self.seeds * rng.normal(size=(seeds, 1))
            both = self.both * rng.normal(size=(seeds, IMAGES))
            return (shared + gap + own + both > 0).astype(float)

        return arm(self.gap) - (arm(0.0) if self.gap else 0.0)


ANSWERS = {
    "accuracy, mostly images vary": Answers(seeds=0.02),
    "accuracy, seeds and images vary": Answers(seeds=0.1),
    "accuracy, mostly seeds vary": Answers(seeds=0.3),
    "difference of two arms": Answers(seeds=0.05, gap=0.1),
}


def of_effects(draw: Draw, seeds: int, rng: np.random.Generator, simulations: int) -> list[float]:
    """Return four shares of simulations, in the order of `WHAT_OF_EFFECTS`."""
    samples = draw(rng, (simulations, seeds))
    flips = [sign_flip_interval(sample, LEVEL, seed=0) for sample in samples]
    students = [student_interval(sample, LEVEL) for sample in samples]
    # A family's claims are independent here, so that none is right by another's luck.
    level = 1 - (1 - LEVEL) / CLAIMS
    wrong = [not _covers(sign_flip_interval(sample, level, seed=0)) for sample in samples]
    families = np.reshape(wrong[: len(wrong) // CLAIMS * CLAIMS], (-1, CLAIMS))
    # The mean lies on a bound, so that a found equivalence is wrong. It is found, as every
    # claim is, where the interval that decides is between the bounds: here that of one claim.
    # Counted is the worse bound of the two.
    below = [low > -WIDE and high < 0 for low, high in flips]
    above = [low > 0 and high < WIDE for low, high in flips]
    possible = seeds >= seeds_needed(CLAIMS)
    return [
        float(np.mean([_covers(each) for each in flips])),
        float(np.mean([_covers(each) for each in students])),
        float(families.any(axis=1).mean()) if possible else math.nan,
        max(float(np.mean(below)), float(np.mean(above))),
    ]


WHAT_OF_EFFECTS = (
    "covered by flipped signs, 95%",
    "covered by Student's, 95%",
    f"a family of {CLAIMS}: any interval wrong",
    "equivalence found at a bound",
)


def of_answers(
    answers: Answers, seeds: int, rng: np.random.Generator, simulations: int
) -> list[float]:
    """Return three shares of simulations, in the order of `WHAT_OF_ANSWERS`."""
    # One bootstrap sample of seeds and images for all tables: as far as one of them goes, the same.
    of_seeds = rng.multinomial(seeds, [1 / seeds] * seeds, RESAMPLES) / seeds
    of_images = rng.multinomial(IMAGES, [1 / IMAGES] * IMAGES, RESAMPLES) / IMAGES
    covered = np.zeros((simulations, 3))
    for number in range(simulations):
        table = answers.draw(rng, seeds)
        means = ((of_images @ table.T) * of_seeds).sum(axis=1)
        low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        intervals = (
            two_way_interval(table, LEVEL),
            Interval(low, high),
            student_interval(table.mean(axis=1), LEVEL),
        )
        covered[number] = [_covers(each, answers.truth) for each in intervals]
    shares: list[float] = covered.mean(axis=0).tolist()
    return shares


WHAT_OF_ANSWERS = (
    "covered by seeds × images, 95%",
    "the plain crossed bootstrap, 95%",
    "seeds alone (Student's), 95%",
)


def _covers(interval: Interval, truth: float = 0.0) -> bool:
    return interval.low <= truth <= interval.high


def simulate(effects: int = SIMULATIONS, tables: int = TABLES) -> list[Row]:
    """Return rows: what is drawn, what is counted, and its share for each number of seeds."""
    rows: list[Row] = []
    for name, draw in EFFECTS.items():
        found = [of_effects(draw, n, np.random.default_rng([0, n]), effects) for n in SEEDS]
        rows += _rows(name, WHAT_OF_EFFECTS, found)
    for name, answers in ANSWERS.items():
        found = [of_answers(answers, n, np.random.default_rng([1, n]), tables) for n in SEEDS]
        rows += _rows(name, WHAT_OF_ANSWERS, found)
    return rows


def _rows(name: str, what: tuple[str, ...], found: list[list[float]]) -> list[Row]:
    return [(name, each, [shares[index] for shares in found]) for index, each in enumerate(what)]


def markdown(rows: list[Row]) -> str:
    """Return the shares as a table, a column for each number of seeds."""
    lines = [
        f"| drawn | counted | {' | '.join(f'n = {n}' for n in SEEDS)} |",
        f"|---|---|{'--:|' * len(SEEDS)}",
    ]
    before = ""
    for name, what, shares in rows:
        cells = ["–" if math.isnan(share) else f"{share:.3f}".lstrip("0") for share in shares]
        lines.append(f"| {name if name != before else ''} | {what} | {' | '.join(cells)} |")
        before = name
    return "\n".join([*lines, ""])


def measure(out: Path, effects: int = SIMULATIONS, tables: int = TABLES) -> str:
    """Simulate, write coverage.json and coverage.md, and return the table."""
    rows = simulate(effects, tables)
    table = markdown(rows)
    out.mkdir(parents=True, exist_ok=True)
    shares = [
        {"drawn": name, "counted": what, "seeds": n, "share": None if math.isnan(share) else share}
        for name, what, each in rows
        for n, share in zip(SEEDS, each, strict=True)
    ]
    settings = {"simulations": effects, "tables": tables, "images": IMAGES}
    (out / "coverage.json").write_text(json.dumps({**settings, "shares": shares}, indent=1))
    (out / "coverage.md").write_text(table, encoding="utf-8")
    return table
