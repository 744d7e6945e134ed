"""Shapes and types in the signatures of everything that handles tensors are checked in tests."""

import os

# The tests' matrices are small, and processes that share two cores stop each other with more.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Iterator  # after the environment is set
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
import slurm_here
from jaxtyping import install_import_hook

if TYPE_CHECKING:
    import campaign

# A busy machine is no failure, and a test that fails in CI fails on the next machine, too.
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis.settings.load_profile("steady")

pytest.register_assert_rewrite("bad_input", "campaign", "fit_cases", "helpers", "wandb_client")

install_import_hook(
    [
        "study.nn",
        "study.measures",
        "study.training.engine",
        "study.training.plain_module",
        "study.training.stack_module",
        "study.training.stack_data",
    ],
    "shapes.checked",
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Write the small study's config."""
    from helpers import SMALL

    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="session")
def slurm() -> Iterator[slurm_here.Slurm]:
    """Start Slurm on this machine, once for all tests."""
    missing = slurm_here.missing()
    if missing:
        pytest.skip(f"needs Slurm on this machine: {missing}")
    with slurm_here.Slurm() as started:
        yield started


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> "campaign.Trial":
    """Train the study that faults are injected into once, undisturbed."""
    import campaign

    trial = campaign.Trial(tmp_path_factory.mktemp("whole"))
    trial.finish()
    return trial


@pytest.fixture(scope="session")
def brief(tmp_path_factory: pytest.TempPathFactory) -> "campaign.Trial":
    """Train a study of few epochs once, undisturbed, for faults at a step of the program."""
    import campaign

    trial = campaign.Trial(tmp_path_factory.mktemp("brief"), epochs=campaign.BRIEF)
    trial.finish()
    return trial
