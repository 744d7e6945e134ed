"""Verdicts: what the records say of a claim, where its config registers it and elsewhere."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.claims import Claim
from reports.judging import ERROR, NOT_MEASURED, Judged, judged, sides
from reports.metrics import At
from reports.pairing import COLUMNS, check, pairs
from reports.read import Records
from reports.scope import (
    Setting,
    Side,
    left_out,
    recorded_arms,
    settings_of,
    sides_of,
    study_of_claim,
)
from reports.statistics import Interval, seeds_needed, seeds_to_settle
from reports.two_way import answers, two_way_interval
from study.base.errors import BadInput

SUPPORTED, REFUTED, INCONCLUSIVE, NOT_RUN = "supported", "refuted", "inconclusive", "not run"
MOST_ELSEWHERE = 3  # other settings that are shown beside a claim; tables have all
WHOLE_TEST_SETS = ("last", "fit", "best")  # the epochs whose answers on all test images are kept


@dataclass(frozen=True)
class Verdict:
    """What the records say of a claim in one setting.

    Attributes
    ----------
    claim
        The claim.
    verdict
        ``supported``, ``refuted``, ``inconclusive`` or ``not run``.
    why
        What an undecided verdict needs: more seeds, or a command.
    setting
        What differs from the setting that the claim's config registers, in words; empty there.
    family
        How many claims of the ledger share the error of 5 %; 1 outside the registered setting,
        whose verdict belongs to no family.
    pairs
        One row a seed: ``a``, ``b`` (empty where there is none), ``effect``, and which of them
        ``stands_in`` for a run that diverged or did not fit.
    runs
        The ids that the verdict rests on, a column a side and a row a seed.
    left_out
        What did not enter, and why, a line each.
    mean
        The mean effect, on the scale on which it is tested; for a share, the share of runs.
    interval
        The interval that decides, at `level`; of a share only the bound that decides. There is none
        where a value stands in for a run that diverged or did not fit.
    unadjusted, student
        The same at 95 %, and Student's at 95 %.
    images
        The interval at `level` over seeds and images like these; for a claim about those.
    p, p_adjusted
        The two-sided p-value of the side of the margin on which the mean lies, and it times the
        claims in the family. Of a mean between two bounds, the larger of both.
    diverged, censored
        How many of the runs diverged, and how many did not fit where the claim is about fitting.
    chosen
        Of an arm at its best, which value each side had.
    command
        The commands that train these runs and judge them.
    elsewhere
        Verdicts in other settings, outside the family, the nearest setting first.
    """

    claim: Claim
    verdict: str
    why: str = ""
    setting: str = ""
    family: int = 1
    pairs: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COLUMNS))
    runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    left_out: tuple[str, ...] = ()
    mean: float = math.nan
    interval: Interval = NOT_MEASURED
    unadjusted: Interval = NOT_MEASURED
    student: Interval = NOT_MEASURED
    images: Interval = NOT_MEASURED
    p: float = math.nan
    p_adjusted: float = math.nan
    diverged: int = 0
    censored: int = 0
    chosen: str = ""
    command: str = ""
    elsewhere: Sequence[Verdict] = field(default=())

    @property
    def n(self) -> int:
        """How many seeds."""
        return len(self.pairs)

    @property
    def level(self) -> float:
        """The level of the interval that decides."""
        return 1 - ERROR / self.family

    @property
    def stand_ins(self) -> int:
        """How many seeds have a value that stands in for a run that diverged or did not fit."""
        return int((self.pairs["stands_in"] != "").sum())


def with_elsewhere(verdicts: Sequence[Verdict], most: int | None = None) -> list[Verdict]:
    """Return each verdict, followed by those on the same claim in ``most`` other settings."""
    return [row for each in verdicts for row in (each, *each.elsewhere[:most])]


def in_print(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return what a paper shows: what was judged as registered, or else in other settings."""
    judged = [each for each in verdicts if each.n]
    return judged or [each for each in with_elsewhere(verdicts, MOST_ELSEWHERE) if each.n]


def judge_all(claims: Sequence[Claim], records: Records) -> list[Verdict]:
    """Return a verdict on each claim, those in other settings within it.

    Raises
    ------
    BadInput
        A claim about a fact or a metric that no run can have, without a single arm for each side,
        or of an arm against itself.
    """
    families = Counter(claim.family for claim in claims)
    arms = recorded_arms(records)
    found = []
    for claim in claims:
        try:
            check(claim, records)
            compared = sides_of(claim)
        except BadInput as fault:
            raise fault.under(f"claim {claim.id}") from None
        registered, *others = settings_of(claim, compared, arms)
        rows = [judge(claim, compared, each, records, 1) for each in others]
        verdict = judge(claim, compared, registered, records, families[claim.family])
        lines = (*verdict.left_out, *left_out(others, MOST_ELSEWHERE))
        elsewhere = [row for row in rows if row.n]
        found.append(replace(verdict, left_out=lines, elsewhere=elsewhere))
    return found


def judge(
    claim: Claim, arms: Sequence[Side], setting: Setting, records: Records, family: int
) -> Verdict:
    """Return the verdict on a claim in one setting, in a family of so many claims."""
    compared = pairs(claim, arms, setting, records)
    trained = _command(claim, setting, compared.table["seed"].max())
    verdict = Verdict(
        claim,
        NOT_RUN,
        setting=setting.words,
        family=family,
        left_out=tuple(compared.left_out),
        command=trained,
    )
    if compared.table.empty:
        return replace(verdict, why=f"train: {trained.partition(' && ')[0]}")
    ids = compared.runs.to_numpy().ravel()
    chosen = records.runs[records.runs["run"].isin(ids)]
    found = judged(claim, compared.table, verdict.level)
    verdict = replace(
        verdict,
        pairs=compared.table,
        runs=compared.runs,
        mean=float(compared.table["effect"].mean()),
        interval=found.interval,
        unadjusted=found.unadjusted,
        student=found.student,
        p=found.p,
        p_adjusted=min(1.0, found.p * family),
        diverged=int((chosen["status"] == "diverged").sum()),
        censored=_unfitted(claim, chosen),
        chosen=compared.chosen,
    )
    if claim.of_images:
        verdict = replace(verdict, images=_over_images(verdict, records))
    return _decided(verdict, found)


def _decided(verdict: Verdict, found: Judged) -> Verdict:
    """Return a verdict with what its effects show, or with what it would need."""
    holds, fails = found.holds, found.fails
    if verdict.claim.of_images:  # nan decides nothing
        beyond = sides(verdict.claim, verdict.images)
        holds, fails = holds and beyond[0], fails and beyond[1]
    if holds or fails:
        return replace(verdict, verdict=SUPPORTED if holds else REFUTED)
    return replace(verdict, verdict=INCONCLUSIVE, why=_needs(verdict, found))


def _command(claim: Claim, setting: Setting, last_seed: float) -> str:
    """Return the commands that train a setting's runs and judge them."""
    study = study_of_claim(claim)
    config = claim.config or "CONFIG"
    seeds = study.seeds if isinstance(study.seeds, int) else max(study.seeds) + 1
    seeds = seeds if math.isnan(last_seed) else max(seeds, int(last_seed) + 1)
    options = [part for k, v in setting.options.items() for part in (f"--{k}", _option(v))]
    fit = ["python", "-m", "study.fit", "--config", config, "--seeds", str(seeds), *options]
    return f"{shlex.join(fit)} && python -m reports results/{study.name}"


def _option(value: object) -> str:
    return "null" if value is None else str(value)


def _unfitted(claim: Claim, runs: pd.DataFrame) -> int:
    about = claim.metric == "epochs_to_fit" or "fit" in (claim.at, claim.against, claim.less)
    return int((runs["epochs_to_fit"].isna() & (runs["status"] != "diverged")).sum()) * about


def _over_images(found: Verdict, records: Records) -> Interval:
    """Return the interval over seeds and images, of the seeds in which no value stands in."""
    claim = found.claim
    ids = found.runs.loc[found.pairs.loc[found.pairs["stands_in"] == "", "seed"]]

    def right(side: str, at: At) -> NDArray[np.float64]:
        kept = at in WHOLE_TEST_SETS and (at != "best" or claim.by == "validation_accuracy")
        runs = list(ids[side]) if kept else []
        table = answers(records, runs, str(at)) if runs else np.zeros((len(ids), 0))
        return table.astype(float)

    correct = [right("a", claim.at)]
    if claim.less is not None:
        correct.append(right("a", claim.less))
    if claim.b is not None:
        correct.append(right("b", claim.at))
    if claim.b is not None and claim.less is not None:
        correct.append(-right("b", claim.less))
    if isinstance(claim.against, str):
        correct.append(right("a", claim.against))
    if len({table.shape for table in correct}) > 1 or correct[0].size == 0:
        return NOT_MEASURED
    number = claim.against if isinstance(claim.against, (int, float)) else 0
    return two_way_interval(correct[0] - sum(correct[1:]) - number, found.level)


def _needs(found: Verdict, judged_: Judged) -> str:
    """Return what an undecided claim needs, as far as that can be computed."""
    claim, needed = found.claim, seeds_needed(found.family)
    effects = found.pairs["effect"].dropna().to_numpy(dtype=float)
    if claim.statistic.of_runs:
        done = int(effects.sum())
        return f"{done} of {found.n} do: neither all of enough runs, nor clearly too few"
    if found.n < needed:
        claims = f"a family of {found.family} claims" if found.family > 1 else "a claim"
        return f"{found.n} seeds: {claims} needs {needed}"
    if found.stand_ins:
        what = f"{found.stand_ins} of {found.n} seeds have a run that diverged or did not fit"
        return f"{what}, which supports no claim"
    if judged_.holds or judged_.fails:
        if math.isnan(found.images.low):
            return "not shown on other images: no answers on the whole test set at that epoch"
        return "shown on this test set, not on other images like these"
    if found.setting:  # not registered: nobody is to go on until it is significant
        return ""
    number = seeds_to_settle(effects, claim.margins, found.family)
    if number is None:
        return ""
    return f"{number - found.n} more seeds would settle it in 8 of 10 cases, if things stay so"
