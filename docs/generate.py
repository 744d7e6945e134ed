"""Write what the pages of this folder and the README take from the code: python docs/generate.py.

A page marks each such place with ``<!-- generated: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[1]
IN_README = ("jacobian", "random-labels")  # families of claims
PLACE = re.compile(r"(<!-- generated: (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


class Key(NamedTuple):
    """A key of a config: its dotted name, what it takes, its default, and what it decides."""

    name: str
    takes: str
    default: Any
    fact: bool
    sentence: str


def keys() -> list[Key]:
    """Return every key of a config, as it is declared, subject by subject."""
    from study.runs.declaring import NO_FACT, expected
    from study.runs.run import Run
    from study.runs.study import Study

    subjects = ("", "data", "model", "optimizer", "stop", "trainer", "wandb")
    found = [
        Key(
            name,
            expected(field),
            field.default,
            name in Run.declared() and NO_FACT not in field.metadata,
            field.description or "",
        )
        for name, field in Study.declared().items()
    ]
    return sorted(found, key=lambda key: subjects.index(key.name.rpartition(".")[0]))


def config() -> str:
    """Return a table of every key for each subject."""
    lines: list[str] = []
    subject = None
    for key in keys():
        if key.name.rpartition(".")[0] != subject:
            subject = key.name.rpartition(".")[0]
            title = f"`{subject}`" if subject else "The study"
            lines += ["", f"### {title}", "", "| key | fact | takes | default | meaning |"]
            lines += ["|---|---|---|---|---|"]
        fact = "yes" if key.fact else "no"
        lines.append(_row(f"`{key.name}`", fact, key.takes, _as_yaml(key.default), key.sentence))
    return "\n".join(lines[1:])


def _as_yaml(value: Any) -> str:
    value = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()
    return f"`{text}`"


def runs() -> str:
    """Return a table of the columns of ``runs`` that are no facts."""
    from study.records.columns import RUN

    return _columns(list(RUN.items()))


def history() -> str:
    """Return a table of the columns of ``history``."""
    from study.records.columns import HISTORY, history_columns

    return _columns([(name, HISTORY[name]) for name in history_columns(validation=True)])


def measures() -> str:
    """Return a table of the columns of this package's measures."""
    from study.measures import MEASURES

    lines = ["| measure | computed at | column | what it holds |", "|---|---|---|---|"]
    for name, measure in MEASURES.items():
        when = "each evaluation" if measure.at == "evaluation" else "the end"
        for column, sentence in measure.columns.items():
            lines.append(_row(f"`{name}`", when, f"`{column}`", sentence))
    return "\n".join(lines)


def _columns(columns: list[tuple[str, str]]) -> str:
    rows = [_row(f"`{name}`", sentence) for name, sentence in columns]
    return "\n".join(["| column | what it holds |", "|---|---|", *rows])


def verdicts() -> str:
    """Return the example report's verdicts on the source's two practical questions."""
    from reports.claims import load_claims

    path = ROOT / "reports" / "example" / "tables" / "verdicts.csv"
    wanted = [each.sentence for each in load_claims() if each.family in IN_README]
    with path.open(encoding="utf-8") as file:
        # Rows of other settings follow that of the registered one.
        rows = {row["claim"]: row for row in reversed(list(csv.DictReader(file)))}
    lines = ["|claim|verdict|effect [interval]|", "|---|---|---|"]
    for row in (rows[sentence] for sentence in wanted if sentence in rows):
        effect = next(value for name, value in row.items() if name.startswith("effect"))
        lines.append(f"|{row['claim']}|**{row['verdict']}**|{effect}|")
    return "\n".join(lines)


def claims() -> str:
    """Return a table of the shipped claims."""
    from reports import symbols
    from reports.claims import load_claims

    lines = ["| claim | arms | metric and statistic | margin from | family |"]
    lines += ["|---|---|---|---|---|"]
    for each in load_claims():
        statistic = f"{each.metric}: {symbols.statistic(each)}"
        cells = (each.sentence, symbols.arms(each), statistic, each.margin_from, each.family)
        lines.append(_row(*cells))
    return "\n".join(lines)


def gpu() -> str:
    """Return what a GPU gave, which ``python -m benchmarks --workload gpu`` found out."""
    from benchmarks.gpu.table import table

    return table(ROOT / "benchmarks" / "gpu.json")


GENERATED: dict[str, Callable[[], str]] = {
    "gpu": gpu,
    "config": config,
    "runs": runs,
    "history": history,
    "measures": measures,
    "verdicts": verdicts,
    "claims": claims,
}


def _row(*cells: str) -> str:
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|").replace("<", "&lt;")


def pages() -> dict[Path, str]:
    """Return the pages with something generated, each with its content as it is to be."""
    found = {}
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        new = PLACE.sub(lambda m: f"{m[1]}{GENERATED[m['name']]()}\n{m[3]}", text)
        if PLACE.search(text):
            found[path] = new
    return found


if __name__ == "__main__":
    for page, content in pages().items():
        page.write_text(content, encoding="utf-8")
