"""A report for W&B as a value: text from the records, and panels that W&B draws from its runs."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from reports import figures, tables, text
from reports.drawing import Drawn
from reports.explain import explain
from reports.page import checklist
from reports.read import Records
from reports.verdicts import Verdict
from study.base.errors import BadInput
from study.runs.settings import Wandb
from study.terminal.summary import METRICS

if TYPE_CHECKING:
    import wandb_workspaces.reports.v2 as wr

REPORT = "report"  # the job type of the run that holds the figures
CLAIMS = "claims"  # its table
LONGEST_TITLE = 128
SUMMARIZED = ("Seeds", "Data", "Same bits in any stack", "Machines", "Statistics")
COLUMNS = (
    *("config:condition.value", "config:seed.value", "summary:status", "summary:epochs_to_fit"),
    *(f"summary:{metric}" for metric in METRICS),
)
BANDS = (
    "Lines and bars are means over the seeds of a condition, bands one standard deviation of them: "
    "W&B computes both from the runs it holds, so runs that were not sent, or have not ended, are "
    "not in them, and one that was trained again from scratch counts twice. The verdicts and their "
    "intervals do not come from these panels, they come from the records. A run that diverged has "
    "no loss to draw from there on; epochs to fit are those of runs that did fit."
)


class Place(NamedTuple):
    """Where a study's runs are in W&B; no entity stands for the account's own."""

    study: str
    entity: str | None
    project: str
    group: str


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
    found: dict[tuple[str | None, str, str], Place] = {}
    for config in records.studies.values():
        given = {key: v for key, v in (("entity", entity), ("project", project)) if v}
        try:
            settings = Wandb(**{**(config.get("wandb") or {}), **given})
        except BadInput as fault:
            raise fault.under("wandb") from None
        at = Place(
            config["name"], settings.entity, settings.project, settings.group or config["name"]
        )
        found.setdefault(at[1:], at)
    return list(found.values())


def drawable(records: Records, verdicts: Sequence[Verdict]) -> list[Drawn]:
    """Return the figures that the records have data for, without drawing them."""
    found = []
    for name in figures.NAMES:
        module = figures.figure(name)
        shown = verdicts if name == "forest" else records
        if not module.data(shown).empty:
            found.append(Drawn(name, (module.__doc__ or "").splitlines()[0], module.alt(shown)))
    return found


def default_title(records: Records) -> str:
    """Return the studies' names as a title."""
    names = ", ".join(_names(records))
    return names if len(names) <= LONGEST_TITLE else names[: LONGEST_TITLE - 1] + "…"


def _names(records: Records) -> list[str]:
    return list(dict.fromkeys(config["name"] for config in records.studies.values()))


def spec(
    records: Records,
    verdicts: Sequence[Verdict],
    at: Sequence[Place],
    title: str = "",
    report_run: str | None = None,
) -> wr.Report:
    """Return the report, which belongs to the first study's project.

    Parameters
    ----------
    records, verdicts
        What it says.
    at
        Where the runs are that its panels show.
    title
        Its title; empty takes the studies' names.
    report_run
        The id of the run that holds the figures; None shows those of all such runs.

    Raises
    ------
    BadInput
        A title that is too long.
    """
    import wandb_workspaces.reports.v2 as wr

    if len(title) > LONGEST_TITLE:
        raise BadInput("title", f"at most {LONGEST_TITLE} characters", title)
    blocks = [
        wr.H1("Summary"),
        wr.MarkdownBlock(_summary(records)),
        wr.H1("Verdicts"),
        wr.MarkdownBlock(tables.markdown(tables.verdict_table(verdicts))),
        wr.MarkdownBlock(_reasons(verdicts, records)),
        wr.H1("Runs by condition"),
        wr.P(BANDS),
    ]
    for place in at:
        blocks += [wr.H2(place.study), _runs_of(place, _conditions(records))]
    shown = drawable(records, verdicts)
    blocks += [
        wr.H1("Figures"),
        wr.MarkdownBlock("\n".join(f"- **{d.name}**: {d.caption} {d.alt}" for d in shown)),
        _figures(at[0], [each.name for each in shown], report_run),
    ]
    report = wr.Report(
        project=at[0].project,
        entity=at[0].entity or "",
        title=title or default_title(records),
        description="What the records say of each claim, and the runs that they are of.",
        blocks=blocks,
        width="fluid",
    )
    _number(report)
    return report


def as_json(report: wr.Report, at: Sequence[Place]) -> str:
    """Return what saving a report sends, but for the number that a server gives a project.

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


def _summary(records: Records) -> str:
    """Return how many runs there are, how they came about, and what could not be read."""
    runs, names = records.runs, _names(records)
    statuses = runs["status"].value_counts().sort_index()
    ended = ", ".join(f"{number} {status}" for status, number in statuses.items())
    studies = f"{len(names)} {'study' if len(names) == 1 else 'studies'} ({', '.join(names)})"
    lines = [f"{len(runs)} runs of {studies}, {runs['seed'].nunique()} seeds: {ended}.", ""]
    answers = dict(checklist(records, []))
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
            effect, asked = text.effect(each), text.asked(each.claim)
            line += f" {text.scale(each.claim).capitalize()} {effect}, asked {asked}. "
            line += explain(each, records)
        lines.append(line.rstrip() + (f" ({each.why})" if each.why else ""))
    return "\n".join(lines)


def _conditions(records: Records) -> int:
    return int(records.runs.groupby("study")["condition"].nunique().max())


def _runs_of(place: Place, conditions: int) -> wr.PanelGrid:
    """Return the panels of a study, its runs grouped by condition."""
    import wandb_workspaces.reports.v2 as wr

    runset = wr.Runset(
        entity=place.entity or "",
        project=place.project,
        name=place.study,
        filters=f"Metric('Group') == {_quoted(place.group)} and Metric('JobType') != '{REPORT}' "
        "and Metric('State') == 'finished'",  # of one that a dying server had in part is another
        groupby=["config.condition"],
        order=[wr.OrderBy(wr.Config("condition"), ascending=True)],
        pinned_columns=list(COLUMNS),
    )
    grouped = {
        "groupby": wr.Config("condition"),
        "groupby_aggfunc": "mean",
        "groupby_rangefunc": "stddev",
        "max_runs_to_show": max(10, conditions),
    }
    lines = [*METRICS.items(), ("gradient_cosine", "cosine of the gradient with the true one")]
    panels: list[Any] = [
        wr.LinePlot(
            title=title,
            x="epoch",
            y=[metric],
            title_x="epoch",
            log_y="loss" in title,
            layout=wr.Layout(x=8 * (number % 3), y=8 * (number // 3), w=8, h=8),
            **grouped,
        )
        for number, (metric, title) in enumerate(lines)
    ]
    bars = wr.Layout(x=16, y=8, w=8, h=8)
    panels.append(
        wr.BarPlot(title="epochs to fit", metrics=["epochs_to_fit"], layout=bars, **grouped)
    )
    return wr.PanelGrid(runsets=[runset], panels=panels)


def _figures(place: Place, names: Sequence[str], report_run: str | None) -> wr.PanelGrid:
    """Return the figures and the table of claims, as a run of the report's own holds them."""
    import wandb_workspaces.reports.v2 as wr

    filters = f"Metric('Group') == {_quoted(place.group)} and Metric('JobType') == '{REPORT}'"
    if report_run:
        filters += f" and Metric('ID') == {_quoted(report_run)}"
    runset = wr.Runset(
        entity=place.entity or "",
        project=place.project,
        name="figures and claims",
        filters=filters,
    )
    images = wr.MediaBrowser(
        title="figures",
        media_keys=[f"figures/{name}" for name in names],
        num_columns=2,
        layout=wr.Layout(w=24, h=20),
    )
    claims = wr.WeavePanelSummaryTable(table_name=CLAIMS, layout=wr.Layout(y=20, w=24, h=14))
    return wr.PanelGrid(runsets=[runset], panels=[images, claims])


def _quoted(name: str) -> str:
    # The library rewrites what looks like an operator, in quotes too.
    return "'" + "".join(c if c.isalnum() else f"\\U{ord(c):08x}" for c in name) + "'"


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
