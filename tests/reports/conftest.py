"""A small study that is trained and reported once for all tests of reports."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.__main__ import main
from study.fit import main as fit

CONFIG = """
name: small
seeds: 6
vary:
  data.label_noise: [0, 1]
  model.backward: [jacobian, identity]
data: {dataset: digits, train_examples: 200}
model: {hidden: [16]}
stop: {train_accuracy: 1.0}
trainer: {max_epochs: 3}
"""


CLAIM = """
- id: random-labels-cost-accuracy
  family: of-the-test
  stated: 2026-11-28
  sentence: Random labels cost more than 5 points of test accuracy.
  config: {config}
  where: {{model.backward: jacobian}}
  a: {{data.label_noise: 0}}
  b: {{data.label_noise: 1}}
  metric: test_accuracy
  at: last
  above: 0.05
  margin_from: ours
"""


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small study's folder, trained once for all tests."""
    folder = tmp_path_factory.mktemp("results")
    (folder / "small.yaml").write_text(CONFIG)
    out = folder / "a small study"
    assert fit(["--config", str(folder / "small.yaml"), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Return a real browser; tests that ask for it are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra 'browser'")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def report(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "out"
    assert main([str(results), "--out", str(out), "--claims", str(claim_of(results))]) == 0
    return out


def claim_of(results: Path) -> Path:
    """Return a file with a claim about the small study."""
    path = results.parent / "claims.yaml"
    path.write_text(CLAIM.format(config=results.parent / "small.yaml"))
    return path
