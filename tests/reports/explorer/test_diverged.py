"""A network whose numbers are no longer finite has no answers, and the page says so."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer.test_pinned import shown, unpacked

import study
from reports.__main__ import main
from reports.explorer.answers import answers_of
from reports.explorer.noise import SHADES, noise_levels
from reports.explorer.pinned import all_answers
from reports.explorer.sprites import Sprites
from reports.read import read
from study.fit import main as fit
from study.records.predictions import tables_by_run

CONFIG = """
name: lost
seeds: 1
vary:
  data.label_noise: [0, 1]
data: {dataset: digits, train_examples: 200}
model: {hidden: [16], backward: identity}
optimizer: {class_path: torch.optim.SGD, lr: 1.0e+12}
trainer: {max_epochs: 3}
"""


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study whose networks all diverge."""
    folder = tmp_path_factory.mktemp("lost")
    (folder / "lost.yaml").write_text(CONFIG)
    assert fit(["--config", str(folder / "lost.yaml"), "--out", str(folder / "lost")]) == 0
    assert set(study.load(folder / "lost").runs["status"]) == {"diverged"}
    return folder / "lost"


def test_a_label_of_no_finite_probability_is_never_learned(lost: Path) -> None:
    for table in tables_by_run(lost, list(study.load(lost).runs["run"])).values():
        answers = answers_of(table)
        assert answers is not None
        assert answers.lost
        assert np.isnan(answers.probability[-1]).all()
        assert (answers.said[-1] == answers.given).any()  # the first class, as the largest nan
        assert set(answers.learned) == {None}


def test_a_run_that_diverged_shows_no_answers(lost: Path) -> None:
    ids = list(study.load(lost).runs["run"])
    found = all_answers(read([lost]), ids, Sprites())
    assert found["lost"] == [0, 1]
    assert all(len(shown(its)) == 0 for its in unpacked(found, len(ids)))


def test_healthy_runs_are_not_lost(results: Path) -> None:
    assert (
        all_answers(read([results]), list(study.load(results).runs["run"]), Sprites())["lost"] == []
    )


def test_the_wall_says_no_probability_after_the_divergence(lost: Path) -> None:
    levels = noise_levels(read([lost]), Sprites())
    assert levels is not None
    wall: dict[str, Any] = levels["levels"][1]["wall"]
    history = np.frombuffer(gzip.decompress(base64.b64decode(wall["history"])), np.uint8)
    by_epoch = history.reshape(len(wall["given"]), len(wall["epochs"])).T
    assert wall["diverged"] == wall["epochs"][-1]
    assert (by_epoch[0] <= SHADES).all()
    assert (by_epoch[-1] > SHADES).all()
    assert set(wall["learned"]) == {None}


@pytest.mark.slow
def test_the_page_says_that_a_pinned_run_diverged(browser: Any, lost: Path, tmp_path: Path) -> None:
    assert main([str(lost), "--out", str(tmp_path / "out")]) == 0
    (run,) = study.load(lost).runs.query("`data.label_noise` == 1").to_dict("records")
    page = browser.new_page()
    page.goto((tmp_path / "out" / "index.html").as_uri() + f"#run={run['run']}")
    page.wait_for_selector("#noise-wall button")
    said = f"numbers were no longer finite at the end: it diverged at epoch {run['epochs']}."
    assert said in page.locator("#curves-no-images").text_content()
    assert page.locator("#curves-images").count() == 0
    assert said in page.locator("#noise-wall-words").text_content()
    path = page.locator("#noise-detail path").get_attribute("d")
    assert "NaN" not in path
    assert path.count("L") == 0  # of epochs 0 and 1, the first alone has a probability
    page.close()
