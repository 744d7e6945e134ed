"""Claims are read whole or refused with one line."""

from __future__ import annotations

import contextlib
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.claims import SHIPPED, Claim, load_claims
from reports.scope import study_of_claim
from reports.statistics import seeds_needed
from study.base.errors import BadInput
from study.records.columns import history_columns, run_columns

GOOD = """
- id: mine
  sentence: A sentence.
  family: own
  stated: 2026-11-28
  margin_from: ours
  config: configs/random.yaml
  metric: test_accuracy
  a: {data.label_noise: 0}
  against: 0.5
  above: 0
"""


def test_the_shipped_claims_are_about_columns_that_exist_and_configs_that_are_shipped() -> None:
    claims = load_claims()
    assert len(claims) >= 14
    for claim in claims:
        assert claim.metric in [*history_columns(), *run_columns()]
        assert claim.source
        assert claim.config is not None
        assert (SHIPPED.parents[1] / claim.config).is_file()


def test_the_shipped_configs_have_the_seeds_that_their_families_need() -> None:
    claims = load_claims()
    families = Counter(claim.family for claim in claims)
    for claim in claims:
        study = study_of_claim(claim)
        assert len({run.seed for run in study.runs}) >= seeds_needed(families[claim.family])


def margins_of(claim: Claim) -> set[float]:
    """Return a claim's margins but those that only say better or worse."""
    written = claim.within or [getattr(claim, claim.asked)]
    neutral = 1 if claim.effect == "ratio" else 0
    return {float(each) for each in written if claim.within or each != neutral}


def spelled(value: float) -> set[float]:
    """Return how a sentence may write a number: as it is, in per cent, or as what 1 is away."""
    return {abs(each) for each in (value, 100 * value, 100 * (1 - value))}


def numbers(text: str) -> list[float]:
    return [float(each) for each in re.findall(r"\d[\d,]*(?:\.\d+)?", text.replace(",", ""))]


def test_the_numbers_in_a_sentence_are_those_of_its_claim() -> None:
    for claim in load_claims():
        facts = [value for side in (claim.where, claim.a, claim.b or {}) for value in side.values()]
        levels = next(iter((claim.over or {"": []}).values()))
        known = {0.0, *margins_of(claim), *levels, *numbers(str(facts)), *numbers(str(claim.at))}
        if isinstance(claim.against, (int, float)):
            known.add(float(claim.against))
        allowed = set().union(*map(spelled, known))
        for number in numbers(claim.sentence):
            assert any(math.isclose(number, each, rel_tol=1e-9) for each in allowed), claim.id
        for margin in margins_of(claim):
            said = [
                n
                for n in numbers(claim.sentence)
                for each in spelled(margin)
                if math.isclose(n, each)
            ]
            assert said, f"{claim.id} does not say its margin {margin}"


def test_claims_of_ones_own_are_added(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace("A sentence.", ">\n    A folded\n    sentence."))
    mine = load_claims([SHIPPED, path])[-1]
    assert (mine.id, mine.against, mine.at) == ("mine", 0.5, "last")
    assert mine.sentence == "A folded sentence."


@given(st.floats(1e-300, 1e300))
def test_the_margin_of_a_ratio_is_written_as_a_ratio(margin: float) -> None:
    claim = Claim("c", "s", "test_accuracy", against=1, effect="ratio", below=margin)
    assert claim.margins == (math.log(margin),)
    assert math.isclose(claim.statistic.written(claim.margins[0]), margin, rel_tol=1e-10)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("above: 0", "abov: 0", "mine.abov: .*did you mean 'above'?"),
        ("above: 0", "kind: greater\n  margin: 0", "mine.kind: expected one of id, sentence"),
        ("above: 0", "at: last", "one of above, below, within, other_than, found 'none'"),
        ("above: 0", "above: 0\n  below: 1", "found 'above, below'"),
        ("above: 0", "above: zero", "a number, found 'zero'"),
        ("above: 0", "above: .nan", "a number, found nan"),
        ("above: 0", "above: true", "a number, found true"),
        ("above: 0", "effect: ratio\n  above: 0", "a margin of a ratio, above 0, found 0"),
        ("above: 0", "effect: share\n  above: 2", "above 0 and at most 1, found 2"),
        ("above: 0", "effect: share\n  within: [0.1, 0.2]", "above or below, for a share of runs"),
        (
            "0.5\n  above: 0",
            "first\n  effect: share\n  above: 0.5",
            "a number, for a share of runs",
        ),
        ("above: 0", "within: [1, 0]", "a lower and a higher bound"),
        ("above: 0", "within: [1]", "a lower and a higher bound"),
        ("above: 0", "within: 1", "a lower and a higher bound"),
        ("above: 0", "effect: ratioo\n  above: 1", "did you mean 'ratio'?"),
        ("above: 0", "effect: [ratio]\n  above: 1", "one of difference, ratio, share"),
        ("above: 0", "effect: no.module:x\n  above: 1", "an effect that can be imported"),
        ("above: 0", "effect: math:pi\n  above: 1", "a reports.effects.Effect"),
        ("against: 0.5", "against: end", "one of first, last"),
        ("against: 0.5", "at: 2.5\n  against: 0.5", "an epoch, or .*, found 2.5"),
        ("  against: 0.5\n", "", "one of b, against, over, found 'none'"),
        ("against: 0.5", "against: 0.5\n  b: {}", "found 'b, against'"),
        ("against: 0.5", "over: {data.label_noise: [0, 1]}", "not for a difference"),
        ("against: 0.5", "over: {data.label_noise: [1, 0]}", "numbers, which grow"),
        ("above: 0", "effect: kendall\n  above: 0", "levels exactly for a trend"),
        ("  family: own\n", "", "mine.family: expected a value"),
        ("  stated: 2026-11-28\n", "", "mine.stated: expected a value"),
        ("  margin_from: ours\n", "", "mine.margin_from: expected a value"),
        ("  config: configs/random.yaml\n", "", "mine.config: expected a value"),
        ("2026-11-28", "soon", "a date, as 2026-11-28, found 'soon'"),
        ("above: 0", "above: 0\n  at: best", "a validation metric that chooses the epoch"),
        ("above: 0", "above: 0\n  best_of: optimizer.lr", "best_of needs it"),
        ("above: 0", "above: 0\n  at: best\n  by: test_accuracy", "by: expected a validation"),
        ("above: 0", "above: 0\n  by: validation_accuracy", "there is nothing to choose"),
        ("above: 0", "effect: ratio\n  above: 1\n  images: true", "a difference of test_accur"),
        ("above: 0", "above: 0\n  at: {metric: epoch}", "or {metric: a metric, within"),
        ("a: {data.label_noise: 0}", "a: data", "a mapping of facts"),
        ("a: {data.label_noise: 0}", "a: {data.label_noise: {0: 1}}", "a mapping of facts"),
        ("a: {data.label_noise: 0}", "a: {1: 1}", "a mapping of facts"),
        ("id: mine", "id: [mine", "a file of claims"),
        ("id: mine", "id: $mine$", "a name of letters, digits"),
        ("id: mine", "id: 5", "claim 1.id: expected a name of letters"),
        ("sentence: A sentence.", "sentence: |\n    A\n    sentence.", "in one line"),
        ("sentence: A sentence.", 'sentence: "\\uD800"', "printable"),
        ("  sentence: A sentence.\n", "", "sentence: expected a value"),
    ],
)
def test_a_wrong_claim_is_one_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(BadInput, match=message) as raised:
        load_claims([path])
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


DEEP = 100_000
BOMB = "- &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"- &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        GOOD.replace("above: 0", "above: *a29").replace(
            "- id", BOMB.replace("- &", "- &") + "- id"
        ),
        GOOD.replace("a: {data.label_noise: 0}", "a: &a {data.label_noise: *a}"),
        GOOD.replace("A sentence.", "&a [*a]"),
        GOOD.replace("above: 0", "above: " + "9" * 5_000),
        GOOD.replace("above: 0", "above: 0x" + "f" * 5_000),
        GOOD.replace("above: 0", "0x" + "f" * 5_000 + ": 0"),
        GOOD.replace("noise: 0", "noise: 0x" + "f" * 5_000),
        GOOD.replace("id: mine", "id: 0x" + "f" * 5_000),
        GOOD.replace("above: 0", "at: 0x" + "f" * 5_000),
        GOOD.replace("above: 0", "above: " + "[" * DEEP),
        "- " * DEEP,
        "[" * DEEP + "]" * DEEP,
        GOOD.replace("mine", '!!int ""'),
        GOOD.replace("mine", "!!bool maybe"),
        GOOD.replace("mine", "!!timestamp 2001-99-99"),
        GOOD.replace("mine", "!!python/object/apply:os.system [exit]"),
        GOOD.replace("mine", "*nobody"),
        GOOD.replace("id: mine", "? [a]\n  : b"),
        GOOD.replace("id: mine", "? {a: b}\n  : c"),
        GOOD + "  above: 1\n",
        GOOD + "\0",
        "\t- a",
        "5",
        "",
        "[1]",
    ],
    ids=range(26),
)
def test_a_hostile_file_is_one_short_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(text)
    with pytest.raises(BadInput) as raised:
        load_claims([path])
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 700 + len(str(path))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(["id", "sentence", "source", "metric", "at", "a", "b", "where", "against"]),
)
def test_any_value_of_any_field_is_taken_or_refused_as_bad_input(value: Any, name: str) -> None:
    fields: dict[str, Any] = {"id": "c", "sentence": "s", "metric": "test_accuracy", "against": 1}
    with contextlib.suppress(BadInput):  # and nothing else
        assert Claim(**(fields | {"above": 0, name: value})).asked == "above"


def test_an_id_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD + GOOD)
    with pytest.raises(BadInput, match="an id of its own"):
        load_claims([path])


def test_a_file_that_is_missing_or_no_list_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    with pytest.raises(BadInput, match="a file of claims"):
        load_claims([path])
    path.write_text("id: mine")
    with pytest.raises(BadInput, match="a list of claims"):
        load_claims([path])
    path.write_bytes(b"\xff")
    with pytest.raises(BadInput, match="a file of claims"):
        load_claims([path])
