"""Write a report's folder: everything comes from one reading of the records."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from reports import page, tables, wording
from reports.claims import SHIPPED, load_claims
from reports.drawing import draw_all
from reports.explain import explain
from reports.figures import figure
from reports.read import read
from reports.verdicts import Verdict, judge_all
from study.base.errors import BadInput
from study.base.files import refuse_link
from study.base.text import markdown


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
    refuse_links(out)
    for folder in ("figures", "tables"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    arms = tables.arm_table(records)
    tables.write(tables.verdict_table(verdicts), out / "tables", "verdicts")
    tables.write(arms, out / "tables", "arms")
    drawn = draw_all(figures, records, verdicts, out / "figures", style)
    explanations = {each.claim.id: explain(each, records) for each in verdicts}
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
        claim = each.claim
        lines += [f"## {each.verdict}: {markdown(claim.sentence)}", ""]
        if claim.source:
            lines += [f"Source: {markdown(claim.source)}.", ""]
        if each.n:
            p = wording.p_value(each.p_adjusted)
            lines.append(f"{wording.finding(each)}; {each.n} seeds; p (Holm) {p}.")
        lines += [part for part in (markdown(each.why), explanations[claim.id]) if part]
        lines.append("")
    return "\n".join(lines)


def refuse_links(out: Path) -> None:
    """Refuse to write where a link or a special file waits: it would be written through.

    Raises
    ------
    BadInput
        Something in ``out`` is neither a file nor a folder; or ``out`` is a link in a study's
        folder, which the user has not named.
    """
    if (out.parent / "study.yaml").exists():
        refuse_link(out)
    for place, folders, files in os.walk(out):
        for path in [Path(place, name) for name in (*folders, *files)]:
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise BadInput(str(path), "a file or a folder", hint="remove it")
