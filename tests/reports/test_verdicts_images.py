"""A claim about generalization holds on other seeds and on other images."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from arms import ARMS, A, B, verdict
from records import records

from reports.claims import Claim
from reports.read import Records, read
from reports.verdicts import INCONCLUSIVE, SUPPORTED
from study.records.parquet import parquet
from study.records.predictions import LISTS, answers_table, load_predictions

GAIN = Claim("c", "s", "test_accuracy", a=A, b=B, above=0)


def test_without_answers_a_claim_about_generalization_is_not_decided() -> None:
    made = records(8, ARMS, lambda seed, facts, epoch: {"test_accuracy": 0.5 + 0.1 * (facts == A)})
    found = verdict(GAIN, made)
    assert (found.verdict, math.isnan(found.images.low)) == (INCONCLUSIVE, True)
    assert "no answers on the whole test set" in found.why
    here = verdict(replace(GAIN, images=False), made)
    assert (here.verdict, here.claim.of_images) == (SUPPORTED, False)


def write_answers(folder: Path, made: Records, gained: int) -> Records:
    """Write that identity alone is right, on the first images of 20, whatever the seed."""
    tables = []
    for run, rule in zip(made.runs["run"], made.runs["model.backward"], strict=True):
        label = np.ones(20, np.uint8)
        said = (np.arange(20) < gained) * np.uint8(rule == "identity")
        row = {**dict.fromkeys(LISTS), "part": "test", "at": "last", "epoch": 2}
        tables.append(answers_table(run, [{**row, "label": label, "said": said}], None))
    whole = pa.concat_tables(tables, promote_options="permissive")
    for kind in ("runs", "answers"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind / "part.parquet").write_bytes(parquet(whole))
    return replace(made, studies={str(folder): {"name": "made"}})


def test_a_gain_on_few_images_is_not_one_on_images_like_these(tmp_path: Path) -> None:
    made = records(8, ARMS, lambda seed, facts, epoch: {"test_accuracy": 0.1 * (facts == A)})
    found = verdict(GAIN, write_answers(tmp_path, made, gained=2))
    # Seeds agree, and images do not: two of twenty gain.
    assert found.interval.low == pytest.approx(0.1)
    assert found.images.low < 0 < 0.1 < found.images.high
    assert found.verdict == INCONCLUSIVE
    assert found.why == "shown on this test set, not on other images like these"
    assert verdict(GAIN, write_answers(tmp_path, made, gained=16)).verdict == SUPPORTED


def test_the_answers_of_a_trained_study_give_its_accuracies(results: Path) -> None:
    made = read([results])
    where = {"data.dataset": "digits", "data.train_examples": 200, "data.label_noise": 0}
    where |= {"model.hidden": [16], "stop.train_accuracy": 1.0, "trainer.max_epochs": 3}
    found = verdict(replace(GAIN, where=where), made)
    assert found.n == 6
    middle = (found.images.low + found.images.high) / 2
    assert middle == pytest.approx(found.mean, abs=1e-9)
    answers = load_predictions(results, set(found.runs["a"]))
    tested = answers[answers["part"] == "test"]
    right = (tested["said"] == tested["label"]).groupby(tested["run"]).mean()
    assert right.loc[found.runs["a"]].tolist() == pytest.approx(found.pairs["a"].tolist())
