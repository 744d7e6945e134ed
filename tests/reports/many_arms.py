"""Records that every figure draws: three studies, many arms, runs that ended early or diverged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from arms import claim
from records import records

from reports.claims import Claim
from reports.read import Records
from study.records.predictions import PREDICTION_COLUMNS

SEEDS, EPOCHS = 6, 8
NOISE, INPUTS = "data.label_noise", "data.inputs"
VARIED: dict[str, dict[str, list[Any]]] = {
    "softmax": {
        "model.loss": ["cross_entropy", "squared_error"],
        "model.backward": ["jacobian", "identity", "fused", "autograd"],
        "optimizer.lr": [0.001, 0.01],
    },
    "noise": {NOISE: [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 1]},
    "inputs": {INPUTS: ["original", "shuffled_pixels", "random_pixels", "gaussian"], NOISE: [0, 1]},
}
FIXED: dict[str, dict[str, Any]] = {
    "softmax": {},
    "noise": {"data.validation_examples": 500, "stop.train_accuracy": 1.0},
    "inputs": {"stop.train_accuracy": 1.0, "model.hidden": [32]},
}


def study_of(facts: Mapping[str, Any]) -> str:
    return "inputs" if INPUTS in facts else "noise" if NOISE in facts else "softmax"


def ended(seed: int, facts: Mapping[str, Any]) -> tuple[str, int, int | None]:
    """Return a run's status, its last epoch, and the epoch at which it fitted."""
    if facts.get("model.backward") == "identity" and seed == 1:
        return "diverged", 3, None
    if facts.get(NOISE) in (0, 1) and seed == 2:
        return "diverged", 4, None
    if study_of(facts) == "softmax" or (facts.get(NOISE) == 1 and seed == 3):
        return "finished", EPOCHS, None
    return "finished", EPOCHS - seed % 3, EPOCHS - seed % 3


def value(seed: int, facts: Mapping[str, Any], epoch: int) -> dict[str, Any]:
    """Return metrics that all arms of a study share, so that their curves coincide."""
    status, last, _ = ended(seed, facts)
    if epoch > last:
        return {"seed": -1}
    there = np.nan if status == "diverged" and epoch == last else 1.0
    loss = there * (2.3 * 0.6**epoch + 0.01 * seed)
    rise = there * (0.1 + 0.1 * epoch - 0.001 * seed)
    names = ("train_accuracy", "test_accuracy", "test_noisy_accuracy")
    share = {name: rise - 0.04 * place for place, name in enumerate(names)}
    return {
        "train_cross_entropy": loss,
        "test_cross_entropy": there * (2.5 - 0.01 * epoch),
        **share,
    }


def many_arms() -> Records:
    """Return the records."""
    parts = []
    for study, varied in VARIED.items():
        index = pd.MultiIndex.from_product(varied.values(), names=list(varied))
        arms = [dict(zip(varied, each, strict=True)) | FIXED[study] for each in index]

        def outcome(seed: int, facts: Mapping[str, Any], study: str = study) -> dict[str, Any]:
            status, epochs, fit = ended(seed, facts)
            arm = ", ".join(f"{key.rpartition('.')[2]} {facts[key]}" for key in VARIED[study])
            known = {"status": status, "epochs": epochs, "epochs_to_fit": fit}
            return {"study": study, "arm": arm, **known}

        made = records(SEEDS, arms, value, epochs=range(EPOCHS + 1), outcome=outcome)
        parts.append(made)
    runs = pd.concat([part.runs for part in parts], ignore_index=True)
    history = pd.concat([part.history for part in parts], ignore_index=True)
    history = history[history["seed"] >= 0].drop(columns=["study", "arm"])
    history = history.merge(runs[["run", "study", "arm"]], on="run")
    studies = {f"results/{name}": {"name": name, "vary": VARIED[name]} for name in VARIED}
    shown = runs[(runs[NOISE] == 1) & (runs["study"] == "inputs")]["run"].iloc[0]
    kept = {"run": shown, "part": "train", "images": "i", "label": 1, "true_label": 2, "said": 1}
    rows = [{**dict.fromkeys(PREDICTION_COLUMNS), **kept, "place": place} for place in range(30)]
    found = replace(
        parts[0],
        runs=runs,
        history=history,
        predictions=pd.DataFrame(rows),
        images={"i": np.zeros((30, 784), np.uint8)},
        studies=studies,
        varied={name: list(keys) for name, keys in VARIED.items()},
    )
    rng = np.random.default_rng(0)
    found._found["last"] = {run: rng.random(50) < 0.8 for run in runs["run"]}
    return found


def claims() -> list[Claim]:
    """Return a claim that the records judge, one that diverged runs bound, and one not run."""
    fused, autograd = {"model.backward": "fused"}, {"model.backward": "autograd"}
    return [
        replace(claim(above=-0.1), id="judged", a=fused, b=autograd),
        replace(claim(above=0), id="bounded"),
        replace(claim(above=0), id="not-run", where={"data.batch_size": 7}),
    ]
