"""Explain a verdict by the gradients that reached the logits and the runs that diverged."""

from __future__ import annotations

import pandas as pd

from reports.read import Records, exact_gradient
from reports.verdicts import Verdict
from reports.wording import number


def explain(verdict: Verdict, records: Records) -> str:
    """Return sentences on the gradients and the diverged runs of a claim's sides.

    Empty where a claim is not about what is sent back, or nothing is recorded.
    """
    claim = verdict.claim
    sentences = []
    for letter, facts in (("A", claim.a), ("B", claim.b or {})):
        rule = facts.get("model.backward")
        if rule is None:
            continue
        runs = records.having({**claim.where, **facts})
        if not runs.empty:
            sentences.append(f"{letter} ({rule}): {_gradients(runs, records)}")
    if verdict.diverged:
        sentences.append("A diverged run counts with the worst value of the metric.")
    return " ".join(sentences)


def _gradients(runs: pd.DataFrame, records: Records) -> str:
    history = records.history[records.history["run"].isin(runs["run"])]
    trained = history[history["epoch"] > 0]
    exact = exact_gradient(trained)
    cosine, ratio = exact["cosine"], trained["gradient_norm"] / exact["norm"]
    diverged = runs[runs["status"] == "diverged"]
    parts = [
        f"the gradient at the logits has a cosine of {number(float(cosine.median()))} with the "
        f"true one and {number(float(ratio.median()))} times its norm (medians over epochs); the "
        f"largest |g| was {number(float(trained['gradient_largest_g'].max()))}"
    ]
    if len(diverged):
        when = f"{int(diverged['epochs'].min())} to {int(diverged['epochs'].max())}"
        parts.append(f"{len(diverged)} of {len(runs)} runs diverged, at epoch {when}")
    return "; ".join(parts) + "."
