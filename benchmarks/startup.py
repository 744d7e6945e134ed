"""Times the start of configs/random.yaml, from the first import to the first training step."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.common import Timing, Workload

NONE = float("nan")


def imports(workload: Workload, epochs: int) -> Timing:
    """Import torch and Lightning, which any training with Lightning needs."""
    began = time.perf_counter()
    import pytorch_lightning  # noqa: F401  # its import is what is timed
    import torch  # noqa: F401  # the same

    return Timing(time.perf_counter() - began, NONE)


def first_step(workload: Workload, epochs: int) -> Timing:
    """Time the study until its first step begins."""
    began = time.perf_counter()
    from study.fit import main
    from study.training.engine import Engine

    class ReachedError(Exception):
        """The first step."""

    def reach(*arguments: object) -> None:
        raise ReachedError

    Engine.steps = reach  # type: ignore[method-assign, assignment]  # the clock stops here
    config = Path(__file__).parents[1] / "configs" / "random.yaml"
    with tempfile.TemporaryDirectory() as folder:
        try:
            main(["--config", str(config), "--out", str(Path(folder) / "out")])
        except ReachedError:
            return Timing(time.perf_counter() - began, NONE)
    raise RuntimeError("the study took no step")
