"""The plan: what it prints for families of claims, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from reports import statistics
from reports.claims import SHIPPED, load_claims
from reports.plan import main


def rows(text: str) -> list[list[str]]:
    """Return the cells of the table's rows, without its head and what is said below it."""
    return [line.split() for line in text.split("\n\n")[0].splitlines()[1:]]


def ledger(folder: Path, config: str) -> Path:
    """Write a claim like the first of the shipped ones, about another config."""
    claim = yaml.safe_load(SHIPPED.read_text())[0]
    path = folder / "claims.yaml"
    path.write_text(json.dumps([{**claim, "id": "mine", "config": config}], default=str))
    return path


def test_the_plan_has_each_config_and_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--effect", "0.01", "--deviation", "0.008"]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    for config in {claim.config for claim in load_claims() if claim.config}:
        assert any(Path(config).stem in row for row in rows(printed))


def test_the_plan_of_a_config_is_found_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", "adam"]) == 0
    one = capsys.readouterr().out
    assert main([]) == 0
    assert set(one.splitlines()) <= set(capsys.readouterr().out.splitlines())
    families = {" ".join(row[:-4]) for row in rows(one)}
    assert families == {" ".join(row[:-4]) for row in rows(one) if "adam" in row}


def test_power_and_seeds_of_a_stated_effect_are_the_statistics(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--effect", "1.5", "--deviation", "1"]) == 0
    (first, *_) = rows(capsys.readouterr().out)
    *_, claims, needed, _, seeds, power, number = first
    assert int(needed) == statistics.seeds_needed(int(claims))
    assert int(number) == statistics.seeds_for(1.5, 1.0, (0.0,), int(claims))
    expected = statistics.power(1.5, 1.0, int(seeds.strip("!")), int(claims))
    assert power == f"{expected:.0%}"


def test_a_config_with_too_few_seeds_is_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("name: mine\nseeds: [3, 4]\n")
    claims = ledger(tmp_path, str(config))
    assert main(["--claims", str(claims), "--config", str(config)]) == 0
    printed = capsys.readouterr().out
    assert any(row[-2:] == ["mine", "2!"] for row in rows(printed))
    assert "! fewer than needed" in printed


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--effect", "1"], "--deviation: expected a number"),
        (["--deviation", "1"], "--effect: expected a number"),
        (["--effect", "1", "--deviation", "0"], "--deviation: expected a number above 0"),
        (["--effect", "nan", "--deviation", "1"], "--effect: expected a finite number"),
        (["--config", "nose"], "did you mean 'noise'?"),
    ],
)
def test_the_plan_refuses(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_claim_on_a_config_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claims = ledger(tmp_path, "nowhere.yaml")
    assert main(["--claims", str(claims)]) == 2
    assert "claim mine.config: expected a config file, found 'nowhere.yaml'" in (
        capsys.readouterr().err
    )
