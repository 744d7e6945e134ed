"""Which arms a claim compares: those that its config registers, and the same contrast elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reports.claims import Claim
from reports.grouping import facts_of
from reports.read import Records, parsed
from study.base.errors import BadInput
from study.runs.config import find, read_layer, study_of
from study.runs.run import Run
from study.runs.study import Study
from study.terminal.arms import arm_label

Facts = dict[str, Any]


@dataclass(frozen=True)
class Recorded:
    """An arm that records hold: its facts, and its runs' ids by seed."""

    facts: Facts
    ids: dict[int, str]


@dataclass(frozen=True)
class Side:
    """A side of a claim: the facts that it gives, and the arm of the config that has them.

    ``arms`` has more than one only where the claim chooses each side's best of a fact.
    """

    name: str
    given: Facts
    arms: list[Facts]


@dataclass
class Setting:
    """Where a claim's contrast was made: nothing ``differs`` where its config registers it.

    ``sides`` has the recorded arms by the side's name; more than one for ``best_of``.
    """

    differs: Facts
    sides: dict[str, list[Recorded]] = field(default_factory=dict)

    @property
    def options(self) -> Facts:
        """The settings that make this one of the registered setting."""
        name = "optimizer.class_path"
        if name not in self.differs:
            return self.differs
        # Another class has other arguments, and those that it shares have to be given, too.
        arm = next(iter(self.sides.values()))[0].facts
        own = {k: v for k, v in arm.items() if k.startswith("optimizer.") and v is not None}
        rest = {k: v for k, v in self.differs.items() if not k.startswith("optimizer.")}
        return {**rest, name: own.pop(name), **own}

    @property
    def words(self) -> str:
        """What differs from the registered setting, in words."""
        return arm_label(self.options) if self.differs else ""


def recorded_arms(records: Records) -> list[Recorded]:
    """Return the arms that records hold, whatever study they are of."""
    names = [name for name in facts_of(records) if name != "seed"]
    found = []
    for _, runs in records.runs.groupby(names, sort=False, dropna=False):
        facts = {name: parsed(value) for name, value in runs[names].iloc[0].items()}
        ids = dict(zip(runs["seed"].astype(int), runs["run"], strict=True))
        found.append(Recorded({str(k): v for k, v in facts.items()}, ids))
    return found


def config_of(claim: Claim) -> Path | None:
    """Return the path of a claim's config; a shipped config is found from every folder.

    Raises
    ------
    BadInput
        No such config.
    """
    if claim.config is None:
        return None
    named = Path(claim.config)
    try:
        return find(str(named if named.is_file() else named.stem))
    except BadInput:
        raise BadInput("config", "a config file", claim.config) from None


def study_of_claim(claim: Claim) -> Study:
    """Return the study of a claim's config, or the default one.

    Raises
    ------
    BadInput
        No such config, or a wrong one.
    """
    path = config_of(claim)
    return Study() if path is None else study_of([read_layer(str(path))])[0]


def sides_of(claim: Claim) -> list[Side]:
    """Return a claim's sides, each with the arm of the config that it means.

    Raises
    ------
    BadInput
        A side that several arms of the config have, an arm compared with itself, or facts that no
        run can have.
    """
    study = study_of_claim(claim)
    runs = study.runs[: len(study.arms)]
    facts = {"a": claim.a} if claim.b is None else {"a": claim.a, "b": claim.b}
    if claim.over is not None:
        key, levels = next(iter(claim.over.items()))
        facts = {f"{key} {level:g}": {**claim.a, key: level} for level in levels}
    sides = []
    for name, own in facts.items():
        given = {**claim.where, **own}
        sides.append(Side(name, given, _arms(claim, runs, given)))
    if claim.b is not None and _same_arms(sides[0].arms, sides[1].arms):
        raise BadInput("b", "another arm than a", dict(claim.b), "they have the same facts")
    return sides


def _arms(claim: Claim, runs: Sequence[Run], given: Mapping[str, Any]) -> list[Facts]:
    """Return the facts of the config's arms that have the given facts, or get them."""
    everywhere = [run.facts() for run in runs]
    varied = {key for facts in everywhere for key in facts if _differ(key, everywhere)}
    wanted = {key: value for key, value in given.items() if key in varied}
    chosen = [run for run in runs if _has(run.facts(), wanted)] or list(runs)
    found: list[Facts] = []
    for run in chosen:
        facts = _with(run, given).facts()
        del facts["seed"]
        if not any(same(facts, each) for each in found):
            found.append(facts)
    free = {key for facts in found for key in facts if _differ(key, found)} - {claim.best_of}
    if free:
        hint = f"{claim.config} varies it, and a claim compares single arms"
        raise BadInput(f"where.{min(free)}", "one value", "none", hint)
    if claim.best_of is not None and len(found) < 2:
        raise BadInput("best_of", f"a fact that {claim.config} varies", claim.best_of)
    return found


def _with(run: Run, given: Mapping[str, Any]) -> Run:
    """Return a run with other facts; another optimizer has only the arguments that are given."""
    name = given.get("optimizer.class_path", run.optimizer.class_path)
    changed = {k: v for k, v in given.items() if not _has(run.facts(), {k: v})}
    if name != run.optimizer.class_path:
        own = {k: v for k, v in given.items() if k.startswith("optimizer.")}
        optimizer = {key.removeprefix("optimizer."): value for key, value in own.items()}
        changed = {k: v for k, v in changed.items() if k not in own} | {"optimizer": optimizer}
    return run.with_settings(changed) if changed else run


def settings_of(claim: Claim, sides: Sequence[Side], arms: Sequence[Recorded]) -> list[Setting]:
    """Return where records have a claim's sides: as registered, be it empty, then the nearest."""
    found: dict[str, Setting] = {"": Setting({})}
    for side in sides:
        for arm in arms:
            if not _has(arm.facts, side.given):
                continue
            best_of = claim.best_of or ""
            if arm.facts.get(best_of) not in [each.get(best_of) for each in side.arms]:
                continue  # the claim chooses among the values that the config varies
            differs = _difference(arm.facts, side.arms[0], but=claim.best_of)
            name = repr(sorted(differs.items())) if differs else ""
            setting = found.setdefault(name, Setting(differs))
            setting.sides.setdefault(side.name, []).append(arm)
    return sorted(found.values(), key=lambda setting: len(setting.differs))


def _difference(
    facts: Mapping[str, Any], other: Mapping[str, Any], but: str | None = None
) -> Facts:
    """Return the facts that differ from others; what one of them lacks is None."""
    keys = dict.fromkeys([*other, *facts])
    return {k: facts.get(k) for k in keys if k != but and facts.get(k) != other.get(k)}


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two arms have the same facts."""
    return not _difference(one, other)


def _same_arms(one: Sequence[Facts], other: Sequence[Facts]) -> bool:
    return all(any(same(each, its) for its in other) for each in one)


def _has(facts: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    return all(facts.get(key) == value for key, value in given.items())


def _differ(key: str, arms: Sequence[Mapping[str, Any]]) -> bool:
    return any(facts.get(key) != arms[0].get(key) for facts in arms)


def left_out(others: Sequence[Setting], most: int) -> list[str]:
    """Return which runs have other settings than the registered one; of over ``most`` the first."""
    lines = [f"{len(_ids([each]))} runs with {each.words}: another setting" for each in others]
    if len(lines) > most:
        more = f"{len(_ids(others[1:]))} runs in {len(lines) - 1} further settings"
        lines[1:] = [f"{more}: tables/verdicts.csv has those in which both sides were trained"]
    return lines


def _ids(settings: Sequence[Setting]) -> set[str]:
    arms = [arm for each in settings for side in each.sides.values() for arm in side]
    return {run for arm in arms for run in arm.ids.values()}
