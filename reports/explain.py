"""Explain a verdict by its own runs: what reached the logits, saturation, who diverged and when."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from reports.read import Records, exact_gradient
from reports.verdicts import Verdict
from reports.wording import number
from study.runs.progress import DIVERGED


def explain(verdict: Verdict, records: Records) -> str:
    """Return sentences on the runs that a verdict rests on, a side each.

    Empty where a claim is not about what is sent back and no run diverged.
    """
    claim = verdict.claim
    about_rules = "model.backward" in {*claim.where, *claim.a, *(claim.b or {})}
    if verdict.runs.empty or not (about_rules or verdict.diverged):
        return ""
    table = records.runs.set_index("run")
    sentences = []
    for side in verdict.runs:
        runs = table.loc[verdict.runs[side]]
        rules = ", ".join(sorted(set(runs["model.backward"])))
        said = [*_gradients(runs, records), *_path(runs, records), *_diverged(runs)]
        sentences.append(f"{str(side).capitalize()} ({rules}): {'; '.join(said)}.")
    if verdict.diverged:
        sentences.append("A run that diverged counts against the claim, or not at all.")
    return " ".join(sentences)


def _trained(runs: pd.DataFrame, records: Records) -> pd.DataFrame:
    history = records.history
    return history[history["run"].isin(runs.index) & (history["epoch"] > 0)]


def _gradients(runs: pd.DataFrame, records: Records) -> list[str]:
    """Say what reached the logits; of the true gradient, which is p - y under cross-entropy."""
    history = _trained(runs, records)
    exact = exact_gradient(history)
    if exact["cosine"].isna().all():
        return []
    cosine = float(exact["cosine"].median())
    true = "the true gradient"
    if set(runs["model.loss"]) == {"cross_entropy"}:
        true += " p − y"
    ratio = float((history["gradient_norm"] / exact["norm"]).median())
    first = _median_at(exact["norm"], history, "min")
    last = _median_at(exact["norm"], history, "max")
    reached = f"what reached the logits had a cosine of {number(cosine)} with {true} and "
    reached += f"{number(ratio)} times its norm (medians over runs and epochs)"
    if number(cosine) == number(ratio) == "1":
        reached = f"{true} reached the logits"
    lines = [
        reached,
        f"the norm of {true} went from {number(first)} after the first epoch to {number(last)} "
        "after the last",
    ]
    zero = history["gradient_zero_share"].max()
    if pd.notna(zero) and zero > 0:
        share = number(100 * float(zero))
        lines.append(f"where p had saturated, exactly 0 was sent, to up to {share} % of examples")
    largest = float(history["gradient_largest_g"].max())
    return [*lines, f"the largest |g| that the rule was given was {number(largest)}"]


def _path(runs: pd.DataFrame, records: Records) -> list[str]:
    """Say how far the training loss fell, and where it ended."""
    history = _trained(runs, records).dropna(subset=["train_cross_entropy"])
    if history.empty:
        return []
    loss = history["train_cross_entropy"]
    lowest = history.loc[loss.groupby(history["run"]).idxmin()]
    ended = _median_at(loss, history, "max")
    return [
        f"the training loss was lowest at epoch {number(float(lowest['epoch'].median()))}, "
        f"{number(float(lowest['train_cross_entropy'].median()))}, and ended at {number(ended)} "
        "(medians over runs)"
    ]


def _median_at(column: pd.Series, history: pd.DataFrame, which: Literal["min", "max"]) -> float:
    """Return the median over runs of a column at each run's first or last trained epoch."""
    measured = history[column.notna()]
    epochs = measured.groupby("run")["epoch"].transform(which)
    return float(column.loc[measured.index[measured["epoch"] == epochs]].median())


def _diverged(runs: pd.DataFrame) -> list[str]:
    """Say which seeds diverged and when."""
    diverged = runs[runs["status"] == DIVERGED].sort_values("seed")
    if diverged.empty:
        return []
    when = ", ".join(
        f"seed {seed} at epoch {epochs}"
        for seed, epochs in zip(diverged["seed"], diverged["epochs"], strict=True)
    )
    return [f"{len(diverged)} of {len(runs)} runs diverged: {when}"]
