"""Write a report's folder: everything comes from one reading of the records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reports import page, tables, text
from reports.claims import SHIPPED, load_claims
from reports.drawing import draw_all
from reports.explain import explain
from reports.read import read
from reports.verdicts import Verdict, judge_all


def build(folders: Sequence[Path], out: Path, style: str, more_claims: Sequence[Path]) -> list[str]:
    """Write figures, tables, claims.md and index.html; return what was left out, a line each.

    Raises
    ------
    BadInput
        Folders that are no studies, no run that ended, a wrong claim.
    """
    claims = load_claims([SHIPPED, *more_claims])
    records = read(folders)
    verdicts = judge_all(claims, records)
    for folder in ("figures", "tables"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    ledger, conditions = tables.verdict_table(verdicts), tables.condition_table(records)
    tables.write(ledger, out / "tables", "verdicts")
    tables.write(conditions, out / "tables", "conditions")
    drawn = draw_all(records, verdicts, out / "figures", style)
    explanations = {each.claim.id: explain(each, records) for each in verdicts}
    (out / "claims.md").write_text(_claims_markdown(verdicts, explanations))
    left_out = [*records.left_out, *(f"figure {d.name}: {d.why_not}" for d in drawn if d.why_not)]
    html = page.render(
        records, verdicts, explanations, conditions, drawn, folders, left_out, out / "figures"
    )
    (out / "index.html").write_text(html)
    return left_out


def _claims_markdown(verdicts: Sequence[Verdict], explanations: dict[str, str]) -> str:
    lines = ["# Claims and verdicts", ""]
    for each in verdicts:
        claim = each.claim
        lines += [f"## {each.verdict}: {claim.sentence}", "", f"Source: {claim.source}.", ""]
        if each.n:
            lines.append(
                f"{text.scale(claim).capitalize()} {text.effect(each)}, asked {text.asked(claim)}; "
                f"{each.n} seeds; p (Holm) {text.p_value(each.p_adjusted)}."
            )
        lines += [part for part in (each.why, explanations[claim.id]) if part]
        lines.append("")
    return "\n".join(lines)
