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
from reports.read import Records, read
from reports.stated import stated
from reports.verdicts import MOST_ELSEWHERE, Verdict, judge_all
from study.base.errors import BadInput
from study.base.files import refuse_link
from study.base.text import markdown, markdown_code


def build(
    folders: Sequence[Path],
    out: Path,
    style: str,
    more_claims: Sequence[Path],
    figures: Sequence[str],
    watched: str | None = None,
) -> list[str]:
    """Write figures, tables, claims.md and index.html; return what was left out, a line each.

    A page that is ``watched`` reloads itself, see `reports.watching`.

    Raises
    ------
    BadInput
        Folders that are no studies, no run that ended, a wrong claim, an unknown figure.
    """
    records, verdicts = _begin(folders, out, more_claims, figures)
    (out / "tables").mkdir(exist_ok=True)
    arms = tables.arm_table(records)
    tables.write(tables.verdict_table(verdicts), out / "tables", "verdicts")
    tables.write_latex(tables.claim_table(verdicts), out / "tables", "claims")
    tables.write(arms, out / "tables", "arms")
    tables.write_latex(arms, out / "tables", "arms")
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
        records, verdicts, explanations, arms, drawn, folders, left_out, out / "figures", watched
    )
    wording.write(out / "index.html", html)
    return left_out


def build_figures(
    folders: Sequence[Path],
    out: Path,
    style: str,
    more_claims: Sequence[Path],
    figures: Sequence[str],
) -> list[str]:
    """Write some figures and nothing else; return each one's PDF, or why there is none.

    Raises
    ------
    BadInput
        What `build` raises.
    """
    records, verdicts = _begin(folders, out, more_claims, figures)
    drawn = draw_all(figures, records, verdicts, out / "figures", style)
    return [
        f"{each.name}: {each.why_not}" if each.why_not else f"{out}/figures/{each.name}.pdf"
        for each in drawn
    ]


def _begin(
    folders: Sequence[Path], out: Path, more_claims: Sequence[Path], figures: Sequence[str]
) -> tuple[Records, list[Verdict]]:
    """Judge the claims, and make the report's folder once all names are known to be right."""
    claims = load_claims([SHIPPED, *more_claims])
    for name in figures:
        figure(name)
    records = read(folders)
    verdicts = judge_all(claims, records)
    refuse_links(out)
    (out / "figures").mkdir(parents=True, exist_ok=True)
    return records, verdicts


def _claims_markdown(verdicts: Sequence[Verdict], explanations: Mapping[str, str]) -> str:
    lines = ["# Claims and verdicts", ""]
    for each in verdicts:
        lines += [f"## {each.verdict}: {markdown(each.claim.sentence)}", ""]
        if each.claim.source:
            lines += [f"Source: {markdown(each.claim.source)}.", ""]
        lines += [*_paragraphs(each), markdown(explanations[each.claim.id]), ""]
        more = len(each.elsewhere) - MOST_ELSEWHERE
        if more > 0:
            lines += [f"{more} more settings are in tables/verdicts.csv.", ""]
        for other in each.elsewhere[:MOST_ELSEWHERE]:
            lines += [f"### {other.verdict}, outside the family: {markdown(other.setting)}", ""]
            lines += [*_paragraphs(other), ""]
    return "\n".join(lines)


def _paragraphs(each: Verdict) -> list[str]:
    """Return what a verdict rests on in Markdown: the effect, the reasons and the command."""
    found = [f"{markdown(wording.finding(each))}; {each.n} seeds.", ""] if each.n else []
    said = map(markdown, wording.reasons(each))
    return [*found, *said, "", f"Redo: {markdown_code(each.command)}", ""]


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
