"""Claims are read whole or refused with one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.claims import SHIPPED, load_claims
from study.base.errors import BadInput
from study.records.reading import history_columns, run_columns

GOOD = """
- id: mine
  sentence: A sentence.
  kind: greater
  metric: test_accuracy
  a: {data.label_noise: 0}
  against: 0.5
"""


def test_the_shipped_claims_are_about_columns_that_exist_and_configs_that_are_shipped() -> None:
    claims = load_claims()
    assert len(claims) >= 14
    for claim in claims:
        assert claim.metric in [*history_columns(), *run_columns()]
        assert claim.source
        assert claim.config is not None
        assert (SHIPPED.parents[1] / claim.config).is_file()


def test_claims_of_ones_own_are_added(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    mine = load_claims([SHIPPED, path])[-1]
    assert (mine.id, mine.against, mine.at) == ("mine", 0.5, "last")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: greater", "kind: bigger", "one of greater, less"),
        ("kind: greater", "kid: greater", "kind"),
        ("against: 0.5", "against: end", "one of first, last"),
        ("against: 0.5", "effect: difference", "either b or against, found 'neither'"),
        ("against: 0.5", "against: 0.5\n  b: {}", "found 'both'"),
        ("against: 0.5", "against: 0.5\n  effect: ratio", "difference or log_ratio"),
        ("kind: greater", "kind: equivalent", "two bounds"),
        ("kind: greater", "kind: equivalent\n  within: [1, 0]", "a lower and a higher bound"),
        ("kind: greater", "kind: equivalent\n  within: [1]", "a claim"),
        ("id: mine", "id: [mine", "a file of claims"),
        ("- id: mine\n", "- sentence: B\n", "a claim"),
    ],
)
def test_a_wrong_claim_is_one_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(BadInput, match=message) as raised:
        load_claims([path])
    assert "\n" not in str(raised.value)


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
