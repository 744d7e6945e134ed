"""The study as a user runs it: ``study.fit`` with config, Trainer and records."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks.common import EXAMPLES, ROOT, Timing, Workload, steady

MOST_EXAMPLES = 16 * EXAMPLES  # summed over runs, per epoch: larger stacks use fewer per run


def study_fit(workload: Workload, epochs: int, *, runs: int, evaluate_every: int = 0) -> Timing:
    """Train a stack of runs.

    Parameters
    ----------
    workload, epochs
        The network to train, and for how long.
    runs
        How many runs train at once.
    evaluate_every
        Epochs between timed evaluations; 0 evaluates once, untimed.
    """
    from study import load
    from study.fit import main

    examples = min(EXAMPLES, MOST_EXAMPLES // runs)
    with tempfile.TemporaryDirectory() as folder:
        times, out = Path(folder) / "times.json", Path(folder) / "out"
        timer = "EpochTimer" if evaluate_every else "TrainingTimer"
        config = {
            "name": "benchmark",
            "seeds": runs,
            "data": {
                "dataset": "fashion_mnist",
                "root": ROOT,
                "normalize": "none",
                "train_examples": None if examples == EXAMPLES else examples,
            },
            "model": {"hidden": list(workload.hidden)},
            "trainer": {
                "max_epochs": epochs,
                "callbacks": [
                    {
                        "class_path": f"benchmarks.timing.{timer}",
                        "init_args": {"path": str(times)},
                    }
                ],
            },
            "evaluate_every": evaluate_every or epochs,
            "keep_weights": False,
            "stack": runs,
        }
        path = Path(folder) / "config.yaml"
        path.write_text(json.dumps(config))
        if status := main(["--config", str(path), "--out", str(out)]):
            raise RuntimeError(f"study.fit ended with status {status}")
        _, history = load(out)
        last = history[history["epoch"] == epochs]
        timed = json.loads(times.read_text())
        seconds = steady(timed["seconds"]) / runs * EXAMPLES / examples
        return Timing(seconds, float(last["test_accuracy"].mean()), timed["outside"])
