"""One command trains what the shipped claims need: every config has the seeds of its families."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from reports.claims import load_claims
from reports.remake import configs, main
from reports.scope import sides_of, study_of_claim
from reports.statistics import seeds_needed


def test_every_config_has_at_least_the_seeds_that_its_families_need() -> None:
    claims = load_claims()
    families = Counter(claim.family for claim in claims)
    for claim in claims:
        seeds = study_of_claim(claim).seeds
        assert isinstance(seeds, int)
        assert seeds >= seeds_needed(families[claim.family])


def test_every_side_of_a_shipped_claim_is_an_arm_of_its_config() -> None:
    for claim in load_claims():
        arms = [
            {k: v for k, v in run.facts().items() if k != "seed"}
            for run in study_of_claim(claim).runs
        ]
        for side in sides_of(claim):
            assert all(arm in arms for arm in side.arms)


def test_the_command_names_the_configs_of_all_claims_once() -> None:
    assert sorted(configs()) == sorted({Path(str(each.config)).stem for each in load_claims()})


@pytest.mark.slow
def test_the_command_trains_and_reports(tmp_path: Path) -> None:
    small = ["--seeds", "1", "--trainer.max_epochs", "1", "--wandb.mode", "off"]
    places = ["--out", str(tmp_path / "report"), "--results", str(tmp_path / "results")]
    assert main([*places, *small]) == 0
    judged = pd.read_csv(tmp_path / "report" / "tables" / "judged.csv")
    assert {*judged["claim"]} == {claim.id for claim in load_claims()}


def test_a_training_that_fails_ends_the_command(tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "report"), "--results", str(tmp_path / "results")]
    assert main([*out, "--trainer.max_epochs", "none"]) == 2
    assert not (tmp_path / "results").exists()
