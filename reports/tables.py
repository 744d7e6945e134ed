"""Tables of verdicts and of arms, each as CSV, Markdown and LaTeX from one frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from reports import wording
from reports.read import Records
from reports.verdicts import Verdict, with_elsewhere
from study.terminal.summary import METRICS, written


def verdict_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Return one row a claim and setting, as text."""
    return pd.DataFrame([_verdict_row(each) for each in with_elsewhere(verdicts)])


def _verdict_row(each: Verdict) -> dict[str, object]:
    claim = each.claim
    family = "outside" if each.setting else f"{claim.family}, m = {each.family}"
    return {
        "claim": claim.sentence,
        "setting": each.setting or "as registered",
        "verdict": each.verdict,
        "effect [interval that decides]": wording.effect(each),
        "is a": wording.scale(claim),
        "asked": wording.asked(claim),
        "level": f"{100 * each.level:.4g} %",
        "95 % unadjusted": wording.interval(claim, each.unadjusted),
        "95 % Student": wording.interval(claim, each.student),
        "on images like these": wording.interval(claim, each.images),
        "seeds": each.n,
        "p": wording.p_value(each.p),
        "p × claims": wording.p_value(each.p_adjusted),
        "family": family,
        "diverged": each.diverged,
        "did not fit": each.censored,
        "note": "; ".join(part for part in (each.chosen, each.why) if part),
        "command": each.command,
    }


def judged_runs(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Return the runs that verdicts rest on, a row each."""
    rows = []
    for each in with_elsewhere(verdicts):
        about = {"claim": each.claim.id, "setting": each.setting or "as registered"}
        rows += [
            {**about, "side": side, "seed": seed, "run": run}
            for seed, ids in each.runs.to_dict("index").items()
            for side, run in ids.items()
        ]
    return pd.DataFrame(rows, columns=["claim", "setting", "side", "seed", "run"])


def arm_table(records: Records) -> pd.DataFrame:
    """Return one row an arm of a study: what its runs ended with, mean and 95% interval."""
    last = records.last()
    rows = []
    for (study, arm), runs in records.runs.groupby(["study", "arm"], sort=False):
        ended = last.loc[runs["run"]]
        row = {"study": study, "arm": arm, "seeds": runs["seed"].nunique()}
        for metric, heading in METRICS.items():
            digits = 4 if "entropy" in metric else 3
            row[heading] = written(ended[metric].dropna().to_numpy(dtype=float), digits)
        to_fit = runs["epochs_to_fit"].dropna().to_numpy(dtype=float)
        row["epochs to fit"] = written(to_fit, 1)
        row["fitted"] = f"{len(to_fit)}/{len(runs)}"
        row["diverged"] = int((runs["status"] == "diverged").sum())
        rows.append(row)
    return pd.DataFrame(rows)


def write(table: pd.DataFrame, folder: Path, name: str) -> None:
    """Write a table as ``name``.csv, .md and .tex."""
    table.to_csv(folder / f"{name}.csv", index=False, encoding="utf-8")
    wording.write(folder / f"{name}.md", markdown(table))
    wording.write(folder / f"{name}.tex", latex(table))


def markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown."""
    lines = ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
    lines += [
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"
        for row in table.itertuples(index=False)
    ]
    return "\n".join([*lines, ""])


def latex(table: pd.DataFrame) -> str:
    """Return a table as LaTeX, with booktabs' rules; sentences get a column that breaks lines."""
    longest = [table[name].astype(str).str.len().max() for name in table.columns]
    columns = "".join(r"p{0.28\linewidth}" if length > 40 else "l" for length in longest)
    lines = [
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(map(_escaped, table.columns)) + r" \\",
        r"\midrule",
    ]
    lines += [
        " & ".join(_escaped(str(cell)) for cell in row) + r" \\"
        for row in table.itertuples(index=False)
    ]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
    "<": r"$<$",
}


def _escaped(cell: str) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in cell)
