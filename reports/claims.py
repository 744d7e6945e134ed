"""Claims as data: a sentence, the contrast that would show it, and what would count as showing."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from reports.effects import EFFECT, Effect
from reports.fields import ASKED, check_fields, is_id, is_number, shown
from study.base.errors import BadInput, unknown_key
from study.runs import yaml_text

SHIPPED = Path(__file__).with_name("claims.yaml")
REQUIRED = ("id", "family", "stated", "sentence", "metric", "config", "margin_from")
IMAGES = "test_accuracy"  # the metric that is a mean over the test set's images
At = str | int | Mapping[str, Any]


@dataclass(frozen=True)
class Claim:
    """A claim, as claims.yaml states it.

    Each side of a claim is one arm of the config: the arm that has the facts of ``where`` and of
    the side. A fact that the config does not vary is fixed by the config, unless the claim gives it
    another value; a fact that the config varies has to be given by the claim (or be in ``over`` or
    ``best_of``). Runs that differ in any other fact do not enter.

    Attributes
    ----------
    id, sentence, source
        Its name, what was claimed, and where.
    metric, at
        A column of ``history``, or the ``package.module:function`` of your own that computes one
        from ``history``, and the epoch to take it at: ``first`` (before training), ``last``,
        ``best``, ``fit``, ``largest``, ``smallest``, a number; or
        ``{metric: test_cross_entropy, within: [0.95, 1.05]}``, the last epoch at which that metric,
        as a share of its value before training, is within the bounds. Or an outcome in ``runs``,
        which has no epoch.
    family
        The question that the claim belongs to: the claims of a ledger that share it share an error
        of 5 %.
    stated
        The date on which the claim was written, as 2026-11-28.
    margin_from
        Where the margin comes from: a source, or "ours" and why.
    config
        The config whose runs would show it; None stands for the default settings.
    by
        The validation metric that chooses: the epoch of ``at: best`` (in each run), and the value
        of ``best_of``. A test metric's best epoch has to be chosen by one.
    less
        An epoch, as in ``at``; the run's own value there is subtracted before sides are compared.
    a, b
        Facts that choose the arm of each side, dotted key to value; runs are paired by seed.
    where
        Facts that both sides share.
    against
        In place of ``b``: a number, or the same runs' own value at another epoch.
    over
        In place of both: one fact with the levels of a trend, for ``effect: kendall``.
    best_of
        A fact that the config varies: each side has its own best value, which has the best mean
        over seeds of ``by`` at the same epoch.
    effect
        ``difference`` a - b; ``ratio`` a / b; ``kendall``, each seed's rank correlation of the
        metric with the levels of ``over``; ``share`` of runs whose metric is at least ``against``,
        for which ``above: 0.7`` means that all are, and that the upper bound on the share that is
        not lies below 0.3; or the ``package.module:object`` of an `reports.effects.Effect` of your
        own.
    above, below, within, other_than
        Exactly one of them: where the mean effect was claimed to lie. Margins are written as the
        effect is, a ratio's as ratios: ``below: 0.01`` is below 1 %.
    images
        Whether the claim must hold on other test images, too, not only with other seeds; by default
        that is so for a difference of test accuracies.

    Raises
    ------
    BadInput
        A value out of its range; an effect that is unknown or cannot be imported.

    Examples
    --------
    >>> claim = Claim("c", "It shrinks.", "train_cross_entropy", against="first", effect="ratio",
    ...               below=0.01)
    >>> claim.asked, round(claim.margins[0], 3)
    ('below', -4.605)

    In claims.yaml, a trend; an arm at its best; a peak less that of random labels; and a band::

        over: {data.label_noise: [0, 0.5, 1]}
        metric: test_accuracy
        effect: kendall
        below: 0

        best_of: optimizer.lr
        by: validation_cross_entropy
        a: {model.backward: identity}
        b: {model.backward: jacobian}

        a: {data.label_noise: 0.5}
        b: {data.label_noise: 1}
        metric: test_accuracy
        at: best
        by: validation_accuracy
        less: fit
        above: 0.01

        metric: train_cross_entropy
        at: {metric: test_cross_entropy, within: [0.95, 1.05]}
        against: first
        effect: ratio
        above: 0.01
    """

    id: str
    sentence: str
    metric: str
    family: str = "one"
    stated: str | None = None
    margin_from: str = ""
    config: str | None = None
    source: str = ""
    at: At = "last"
    by: str | None = None
    less: At | None = None
    a: Mapping[str, Any] = field(default_factory=dict)
    b: Mapping[str, Any] | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    against: str | float | None = None
    over: Mapping[str, Sequence[float]] | None = None
    best_of: str | None = None
    effect: str = "difference"
    above: float | None = None
    below: float | None = None
    within: Sequence[float] | None = None
    other_than: float | None = None
    images: bool | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        sides = [name for name in ("b", "against", "over") if getattr(self, name) is not None]
        if len(sides) != 1:
            found = ", ".join(sides) or "none"
            raise BadInput("against", "one of b, against, over", found)
        given = [name for name in ASKED if getattr(self, name) is not None]
        if len(given) != 1:
            raise BadInput("above", f"one of {', '.join(ASKED)}", ", ".join(given) or "none")
        self._check_effect()
        self._check_choices()

    def _check_effect(self) -> None:
        effect = self.statistic
        for margin in self._as_written:
            if not effect.least < margin <= effect.most:
                expected = f"a margin of a {effect.word}, above {effect.least:g}"
                upper = f" and at most {effect.most:g}" if math.isfinite(effect.most) else ""
                raise BadInput(self.asked, expected + upper, margin)
        if effect.of_runs and self.asked not in ("above", "below"):
            raise BadInput(self.asked, f"above or below, for a {effect.word}")
        if effect.of_runs and not is_number(self.against):
            raise BadInput("against", f"a number, for a {effect.word}", self.against)
        if effect.of_levels != (self.over is not None):
            raise BadInput("over", f"levels exactly for a trend, not for a {effect.word}")
        difference = effect.linear and self.metric == IMAGES
        if self.images and not difference:
            raise BadInput("images", f"false, but for a difference of {IMAGES}", self.images)

    def _check_choices(self) -> None:
        best = "best" in (self.at, self.less, self.against)
        if self.by is None:
            if self.best_of is not None:
                raise BadInput("by", "a validation metric that chooses", hint="best_of needs it")
            if best and self.metric.startswith("test_"):
                hint = "by: validation_accuracy; the test set chooses no epoch"
                raise BadInput("by", "a validation metric that chooses the epoch", hint=hint)
        elif not self.by.startswith("validation_"):
            raise BadInput("by", "a validation metric", self.by)
        elif not best and self.best_of is None:
            raise BadInput("by", "best_of or an epoch best", hint="there is nothing to choose")

    @property
    def asked(self) -> str:
        """Which of `ASKED` the claim gives."""
        return next(name for name in ASKED if getattr(self, name) is not None)

    @property
    def _as_written(self) -> tuple[float, ...]:
        value = getattr(self, self.asked)
        return tuple(value) if self.asked == "within" else (value,)

    @cached_property
    def statistic(self) -> Effect:
        """The effect that ``effect`` names."""
        return EFFECT.resolve_as(self.effect, "effect", Effect)

    @cached_property
    def margins(self) -> tuple[float, ...]:
        """The margin, or the two of ``within``, on the scale on which effects are tested."""
        return tuple(self.statistic.tested(margin) for margin in self._as_written)

    @property
    def of_images(self) -> bool:
        """Whether the claim must hold on other test images, too."""
        if self.images is not None:
            return self.images
        return self.statistic.linear and self.metric == IMAGES


def load_claims(paths: Sequence[Path] = (SHIPPED,)) -> list[Claim]:
    """Read claims.

    Raises
    ------
    BadInput
        A file that is not a list of claims, an unknown key, a value out of its range, an id twice.
    """
    claims = [claim for path in paths for claim in _claims_in(path)]
    for claim_id, number in Counter(claim.id for claim in claims).items():
        if number > 1:
            raise BadInput(f"claim {claim_id}", "an id of its own", f"{number} claims")
    return claims


def _claims_in(path: Path) -> list[Claim]:
    try:
        entries = yaml_text.load(path.read_text(encoding="utf-8"))
    except Exception as error:  # of what a text can do to a YAML reader there is no list
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise BadInput(str(path), "a file of claims", hint=reason) from None
    if not isinstance(entries, list):
        raise BadInput(str(path), "a list of claims", type(entries).__name__)
    claims = []
    for number, entry in enumerate(entries, start=1):
        try:
            claims.append(_claim(entry))
        except BadInput as fault:
            name = entry.get("id") if isinstance(entry, dict) else None
            where = f"claim {name if is_id(name) else number}"
            raise fault.under(where).in_file(str(path)) from None
    return claims


def _claim(entry: Any) -> Claim:
    if not isinstance(entry, dict):
        raise BadInput("entry", "a mapping of keys to values", type(entry).__name__)
    known = [each.name for each in dataclasses.fields(Claim)]
    for key in entry:
        if key not in known:
            raise unknown_key(str(shown(key)), known)
    for name in REQUIRED:
        if name not in entry:
            raise BadInput(name, "a value", "none")
    # A block of text in YAML ends with a line break.
    values: dict[str, Any] = {k: v.strip() if isinstance(v, str) else v for k, v in entry.items()}
    return Claim(**values)
