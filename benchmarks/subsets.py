"""Many short trainings, each on its own random 70% of mnist5k, as a memorization score needs.

The time includes data, initial weights, training, evaluation and, for the study, its records.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.common import BATCH, RATE, Timing, Workload, accuracy, network

DATASET, SHARE = "mnist5k", 0.7


def study_subsets(workload: Workload, epochs: int, *, trainings: int) -> Timing:
    """Train on subsets as a study, one seed a subset."""
    # Imports are not timed here, as for the plain loop.
    import pytorch_lightning  # noqa: F401  # not timed
    import torch  # noqa: F401  # not timed

    from study import load
    from study.data.sources import SOURCES
    from study.fit import main

    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "config.yaml", Path(folder) / "out"
        config = {
            "name": "subsets",
            "seeds": trainings,
            "data": {
                "dataset": DATASET,
                "normalize": "none",
                "train_examples": round(SHARE * SOURCES[DATASET].train_examples),
            },
            "model": {"hidden": list(workload.hidden)},
            "trainer": {"max_epochs": epochs},
            "evaluate_every": epochs,
            "keep_weights": False,
        }
        path.write_text(json.dumps(config))
        began = time.perf_counter()
        if status := main(["--config", str(path), "--out", str(out)]):
            raise RuntimeError(f"study.fit ended with status {status}")
        seconds = (time.perf_counter() - began) / trainings
        _, history = load(out)
        last = history[history["epoch"] == epochs]
        return Timing(seconds, float(last["test_accuracy"].mean()))


def plain_subsets(workload: Workload, epochs: int, *, trainings: int, fused: bool) -> Timing:
    """Train on one subset after another in a plain PyTorch loop."""
    import torch
    from torch import nn

    from study.data.sources import load_images

    source = load_images(DATASET, "data")
    images = torch.from_numpy(source.train_pixels / 255).float()
    labels = torch.from_numpy(source.train_labels)
    test_images = torch.from_numpy(source.test_pixels / 255).float()
    test_labels = torch.from_numpy(source.test_labels)
    accuracies = []
    began = time.perf_counter()
    for seed in range(trainings):
        torch.manual_seed(seed)
        subset = torch.randperm(len(labels))[: round(SHARE * len(labels))]
        model = network(workload)
        optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=fused)
        for _ in range(epochs):
            for chosen in torch.split(subset[torch.randperm(len(subset))], BATCH):
                loss = nn.functional.cross_entropy(model(images[chosen]), labels[chosen])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                optimizer.step()
        accuracies.append(accuracy(model, test_images, test_labels))
    seconds = (time.perf_counter() - began) / trainings
    return Timing(seconds, statistics.mean(accuracies))
