"""A report for W&B as a value: what the records say, and where the runs of its panels are."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from reports import tables, wording
from reports.drawing import Drawn
from reports.explain import explain
from reports.page import checklist
from reports.read import Records
from reports.verdicts import Verdict
from reports.wandb.panels import BANDS, Place, figures_of, runs_of
from study.base.errors import BadInput
from study.runs.settings import Wandb

if TYPE_CHECKING:
    import wandb_workspaces.reports.v2 as wr

LONGEST_TITLE = 128
SUMMARIZED = ("Seeds", "Data", "Same bits in any stack", "Machines", "Statistics")


def places(records: Records, entity: str | None = None, project: str | None = None) -> list[Place]:
    """Return where the studies' runs are, each place once.

    Parameters
    ----------
    records
        The studies, with their configs.
    entity, project
        In place of what the configs say.

    Raises
    ------
    BadInput
        A name that W&B does not take.
    """
    found: dict[Sequence[str | None], Place] = {}
    for config in records.studies.values():
        given = {key: v for key, v in (("entity", entity), ("project", project)) if v}
        try:
            settings = Wandb(**{**(config.get("wandb") or {}), **given})
        except BadInput as fault:
            raise fault.under("wandb") from None
        name = config["name"]
        at = Place(name, settings.entity, settings.project, settings.group or name)
        found.setdefault(at[1:], at)
    return list(found.values())


def _shortened(title: str) -> str:
    return title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"


def _names(records: Records) -> list[str]:
    return list(dict.fromkeys(config["name"] for config in records.studies.values()))


def spec(
    records: Records,
    verdicts: Sequence[Verdict],
    drawn: Sequence[Drawn],
    at: Sequence[Place],
    title: str = "",
    report_run: str | None = None,
) -> wr.Report:
    """Return the report, which belongs to the first study's project.

    Parameters
    ----------
    records, verdicts, drawn
        What it says; figures that are not drawn are left out.
    at
        Where the runs are that its panels show.
    title
        Its title; empty takes the studies' names.
    report_run
        The id of the run that holds the figures; None shows those of all such runs.
    """
    import wandb_workspaces.reports.v2 as wr

    arms = int(records.runs.groupby("study")["arm"].nunique().max())
    blocks = [
        wr.H1("Summary"),
        wr.MarkdownBlock(_summary(records, verdicts)),
        wr.H1("Verdicts"),
        wr.MarkdownBlock(tables.markdown(tables.verdict_table(verdicts))),
        wr.MarkdownBlock(_reasons(verdicts, records)),
        wr.H1("Runs by arm"),
        wr.P(BANDS),
    ]
    for place in at:
        blocks += [wr.H2(place.study), runs_of(place, arms)]
    shown = [each for each in drawn if not each.why_not]
    blocks += [
        wr.H1("Figures"),
        wr.MarkdownBlock("\n".join(f"- **{d.name}**: {d.caption} {d.alt}" for d in shown)),
        figures_of(at[0], [each.name for each in shown], report_run),
    ]
    report = wr.Report(
        project=at[0].project,
        entity=at[0].entity or "",
        title=title or _shortened(", ".join(_names(records))),
        description="What the records say of each claim, and the runs that they are of.",
        blocks=blocks,
        width="fluid",
    )
    _number(report)
    return report


def as_json(report: wr.Report, at: Sequence[Place]) -> str:
    """Return the JSON that saving a report sends, without the number a server gives a project.

    Parameters
    ----------
    report
        The report.
    at
        What it was made with.
    """
    report = copy.deepcopy(report)
    runsets = list(_runsets(report))
    owners = [(runset.entity, runset.project) for runset in runsets]
    for runset in runsets:
        # One with both names asks a server for the project's number as it is serialised, and there
        # is no other way in: without the entity it asks nobody, and the names are put back below.
        runset.entity = ""
    content = report._to_model().spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    grids = [block for block in content["blocks"] if block["type"] == "panel-grid"]
    written = [runset for grid in grids for runset in grid["metadata"]["runSets"]]
    for runset, (entity, project) in zip(written, owners, strict=True):
        runset["project"] = {"entityName": entity or None, "name": project}
    sent = {
        "entityName": at[0].entity,
        "projectName": report.project,
        "displayName": report.title,
        "description": report.description,
        "type": "runs",
        "spec": content,
    }
    return json.dumps(sent, indent=1, ensure_ascii=False) + "\n"


def _summary(records: Records, verdicts: Sequence[Verdict]) -> str:
    """Return how many runs there are, how they came about, and what could not be read."""
    runs, names = records.runs, _names(records)
    statuses = runs["status"].value_counts().sort_index()
    ended = ", ".join(f"{number} {status}" for status, number in statuses.items())
    studies = f"{len(names)} {'study' if len(names) == 1 else 'studies'} ({', '.join(names)})"
    lines = [f"{len(runs)} runs of {studies}, {runs['seed'].nunique()} seeds: {ended}.", ""]
    answers = dict(checklist(records, [each.claim for each in verdicts], []))
    lines += [f"- **{key}**: {answers[key]}" for key in SUMMARIZED]
    for environment in records.environments.values():
        versions = {"Python": environment.get("python", "–"), **environment["packages"]}
        lines.append("- **Versions**: " + ", ".join(f"{k} {v}" for k, v in versions.items()))
    lines += [f"- **Left out**: {each}" for each in records.left_out]
    return "\n".join(dict.fromkeys(lines))


def _reasons(verdicts: Sequence[Verdict], records: Records) -> str:
    lines = []
    for each in verdicts:
        line = f"- **{each.verdict}**: {each.claim.sentence}"
        if each.n:
            line += f" {wording.finding(each)}. {explain(each, records)}"
        lines.append(line.rstrip() + (f" ({each.why})" if each.why else ""))
    return "\n".join(lines)


def _runsets(report: wr.Report) -> Iterable[wr.Runset]:
    for block in report.blocks:
        yield from getattr(block, "runsets", [])


def _number(report: wr.Report) -> None:
    # The library draws these at random; the same records are to give the same report.
    grids = [block for block in report.blocks if hasattr(block, "panels")]
    for number, grid in enumerate(grids):
        for kind, members in (("runset", grid.runsets), ("panel", grid.panels)):
            for index, member in enumerate(members):
                member._id = f"study-{number}-{kind}-{index}"
