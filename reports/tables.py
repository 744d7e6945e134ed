"""Tables of verdicts and of arms: whole as CSV and Markdown, and in LaTeX as a page has room."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from reports import wording
from reports.latex import latex
from reports.read import Records
from reports.verdicts import Verdict, in_print, with_elsewhere
from study.base import text
from study.terminal.summary import METRICS, written


def verdict_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Return one row a claim and setting, as text."""
    return pd.DataFrame([_verdict_row(each) for each in with_elsewhere(verdicts)])


def claim_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Return one row a judged claim, with the columns for which a paper has room."""
    rows = [
        {
            "claim": each.claim.sentence + (f" ({each.setting})" if each.setting else ""),
            "verdict": each.verdict,
            "effect [interval that decides]": wording.effect(each),
            "asked": wording.asked(each.claim),
            "seeds": each.n,
            "p × claims": wording.p_value(each.p_adjusted),
        }
        for each in in_print(verdicts)
    ]
    columns = ["claim", "verdict", "effect [interval that decides]", "asked", "seeds", "p × claims"]
    return pd.DataFrame(rows, columns=columns)


def _verdict_row(each: Verdict) -> dict[str, object]:
    claim = each.claim
    family = "outside" if each.setting else f"{claim.family}, m = {each.family}"
    return {
        "claim": claim.sentence,
        "setting": each.setting or "as registered",
        "verdict": each.verdict,
        "effect [interval that decides]": wording.effect(each),
        "is a": claim.statistic.word,
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
    """Return one row an arm of a study: what its runs ended with, mean and 95% interval.

    There is no mean where a run has no number, because it diverged or did not fit.
    """
    last = records.last()
    rows = []
    for (study, arm), runs in _in_order(records).groupby(["study", "arm"], sort=False):
        ended = last.loc[runs["run"]]
        row = {"study": study, "arm": arm, "seeds": runs["seed"].nunique()}
        for metric, heading in METRICS.items():
            digits = 4 if "entropy" in metric else 3
            row[heading] = written(ended[metric].to_numpy(dtype=float), digits)
        row["epochs to fit"] = written(runs["epochs_to_fit"].to_numpy(dtype=float), 1)
        row["fitted"] = f"{runs['epochs_to_fit'].count()}/{len(runs)}"
        row["diverged"] = int((runs["status"] == "diverged").sum())
        rows.append(row)
    return pd.DataFrame(rows)


def _in_order(records: Records) -> pd.DataFrame:
    """Return ``runs`` study by study, sorted by what varies there."""
    parts = []
    for study, runs in records.runs.groupby("study", sort=False):
        keys = [key for key in records.varied.get(str(study), []) if key in runs]
        parts.append(runs.sort_values(keys, key=_sortable, kind="stable") if keys else runs)
    return pd.concat(parts)


def _sortable(column: pd.Series) -> pd.Series:
    return column if pd.api.types.is_numeric_dtype(column) else column.map(str)


def write(table: pd.DataFrame, folder: Path, name: str) -> None:
    """Write a table as ``name``.csv and .md."""
    for_csv(table).to_csv(folder / f"{name}.csv", index=False, encoding="utf-8")
    wording.write(folder / f"{name}.md", markdown(table))


def write_latex(table: pd.DataFrame, folder: Path, name: str) -> None:
    """Write a table as ``name``.tex; it has to fit a text of 5.5 inches."""
    wording.write(folder / f"{name}.tex", latex(table))


def for_csv(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of which a spreadsheet takes no text for a formula."""
    changed = {}
    for name, column in table.select_dtypes(exclude=["number", "bool"]).items():
        texts = (each for each in column.unique() if isinstance(each, str))
        cells = {each: shown for each in texts if (shown := text.csv(each)) != each}
        if cells:
            changed[str(name)] = [cells.get(each, each) for each in column]
    return table.assign(**changed)


def markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown."""
    lines = ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
    lines += [
        "| " + " | ".join(text.markdown(str(cell)) for cell in row) + " |"
        for row in table.itertuples(index=False)
    ]
    return "\n".join([*lines, ""])
