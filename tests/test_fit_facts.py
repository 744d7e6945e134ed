"""A study whose arms have a validation split and dropout, or have not: from a config to a claim."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from fit_cases import fit
from helpers import SMALL, YOUNGER

import study
from reports.read import read
from study.records.difference import difference, read_runs
from study.records.reading import history_columns, recorded
from study.verify import main as verify
from study.wandb.content import history_rows
from study.wandb.source import Source


def test_a_split_has_columns_of_its_own_in_records_reports_and_wandb(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, out = tmp_path / "split.yaml", tmp_path / "out"
    tree = yaml.safe_load(SMALL)
    tree["vary"] = {"data.validation_examples": [0, 150]}
    tree["data"]["label_noise"], tree["optimizer"] = 0.5, {"lr": 0.02}
    tree["model"] |= {key.partition(".")[2]: YOUNGER[key] for key in YOUNGER if "model" in key}
    config.write_text(yaml.safe_dump({**tree, "seeds": 1, "wandb": {"mode": "off"}}))
    assert fit(config, out) == 0
    runs, history = study.load(out)
    assert set(history.columns) == set(history_columns(validation=True))
    split = dict(zip(runs["run"], runs["data.validation_examples"] > 0, strict=True))
    of_split = history["run"].map(split)
    for name in (name for name in history if name.startswith("validation_")):
        assert (history[name].notna() == of_split).all()
    last = history[of_split].iloc[-1]
    # Half of the noisy labels are redrawn, so a network is less often right about them.
    assert last["validation_noisy_accuracy"] < last["validation_accuracy"]
    # All but the labels trained on is the same with and without a split.
    assert runs["labels_hash"].nunique() == runs["weights_hash"].nunique() == 1
    capsys.readouterr()
    assert verify([str(out), "--runs", "2"]) == 0
    assert "2 of 2 retrained runs hold" in capsys.readouterr().out
    # In a report a run without a split has no value; a diverged one would have the worst.
    values = read([out]).values("validation_accuracy", "last")
    assert {run: np.isfinite(value) for run, value in values.items()} == split
    # W&B gives back the columns that it was given.
    for each in Source(out).recorded({run.id for run, _, _ in recorded(out)}):
        rows = history_rows(each.run, each.rows)
        given = {np.isfinite(row.get("validation_accuracy", np.nan)) for row in rows}
        assert given == {split[each.run]}


def test_a_record_without_a_younger_fact_differs_in_no_such_fact() -> None:
    folder = Path(__file__).parent / "data_folders" / "format1"
    one = next(iter(read_runs(folder).values()))
    facts = json.loads(one.row["facts"])
    younger = study.Run.of_record({**facts, "model.dropout": 0.5})
    two = one._replace(row={**one.row, "run": younger.id, "facts": json.dumps(younger.facts())})
    assert difference(one, two).facts == {"model.dropout": (0.0, 0.5)}
