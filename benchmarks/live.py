"""Times configs/random.yaml from beginning to end, with and without its 16 runs in W&B."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import Timing, Workload

ROOT = Path(__file__).parents[1]


def study_in_wandb(workload: Workload, epochs: int, mode: str) -> Timing:
    """Train the config after importing libraries; ``online`` sends to the tests' local server."""
    # The server is part of the tests, not of the package.
    sys.path.append(str(ROOT / "tests" / "wandb"))
    from loopback import Loopback  # type: ignore[import-not-found]  # found by the line above

    import study
    import study.terminal.display
    import study.training.loop
    from study.fit import main

    with Loopback() as server, tempfile.TemporaryDirectory() as folder:
        os.environ.update(server.environment)
        out = Path(folder) / "out"
        argv = ["--config", str(ROOT / "configs" / "random.yaml"), "--out", str(out)]
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            status = main([*argv, "--wandb.mode", mode])
        seconds = time.perf_counter() - began
        arrived = len(server.runs) if mode == "online" else 16
        if status or arrived != 16:
            raise RuntimeError(f"exit status {status}, {arrived} runs arrived")
        _, history = study.load(out)
        last = history.sort_values("epoch").drop_duplicates("run", keep="last")
        return Timing(seconds, float(last["test_accuracy"].mean()))
