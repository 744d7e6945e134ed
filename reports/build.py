"""Write a report's folder: everything comes from one reading of the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from reports import page, tables, wording
from reports.claims import SHIPPED, load_claims
from reports.drawing import draw_all
from reports.explain import explain
from reports.figures import figure
from reports.read import read
from reports.stated import stated
from reports.verdicts import MOST_ELSEWHERE, Verdict, judge_all


def build(
    folders: Sequence[Path],
    out: Path,
    style: str,
    more_claims: Sequence[Path],
    figures: Sequence[str],
) -> list[str]:
    """Write figures, tables, claims.md and index.html; return what was left out, a line each.

    Raises
    ------
    BadInput
        Folders that are no studies, no run that ended, a wrong claim, an unknown figure.
    """
    claims = load_claims([SHIPPED, *more_claims])
    for name in figures:
        figure(name)
    records = read(folders)
    verdicts = judge_all(claims, records)
    for folder in ("figures", "tables"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    arms = tables.arm_table(records)
    tables.write(tables.verdict_table(verdicts), out / "tables", "verdicts")
    tables.write(arms, out / "tables", "arms")
    judged = tables.judged_runs(verdicts)
    judged.to_csv(out / "tables" / "judged.csv", index=False, encoding="utf-8")
    drawn = draw_all(figures, records, verdicts, out / "figures", style)
    said = stated(verdicts, records, more_claims)
    explanations = {
        each.claim.id: f"{said[each.claim.id]} {explain(each, records)}".strip()
        for each in verdicts
    }
    wording.write(out / "claims.md", _claims_markdown(verdicts, explanations))
    left_out = [*records.left_out, *(f"figure {d.name}: {d.why_not}" for d in drawn if d.why_not)]
    html = page.render(
        records, verdicts, explanations, arms, drawn, folders, left_out, out / "figures"
    )
    wording.write(out / "index.html", html)
    return left_out


def _claims_markdown(verdicts: Sequence[Verdict], explanations: Mapping[str, str]) -> str:
    lines = ["# Claims and verdicts", ""]
    for each in verdicts:
        lines += [f"## {each.verdict}: {each.claim.sentence}", ""]
        if each.claim.source:
            lines += [f"Source: {each.claim.source}.", ""]
        lines += [*wording.sentences(each), explanations[each.claim.id], ""]
        more = len(each.elsewhere) - MOST_ELSEWHERE
        if more > 0:
            lines += [f"{more} more settings are in tables/verdicts.csv.", ""]
        for other in each.elsewhere[:MOST_ELSEWHERE]:
            lines += [f"### {other.verdict}, outside the family: {other.setting}", ""]
            lines += [*wording.sentences(other), ""]
    return "\n".join(lines)
