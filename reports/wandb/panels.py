"""The panels of a report in W&B, which W&B draws from the runs that it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from study.terminal.summary import METRICS

if TYPE_CHECKING:
    import wandb_workspaces.reports.v2 as wr

REPORT = "report"  # the job type of the run that holds the figures
CLAIMS = "claims"  # its table
ARM = "arm"  # what study.wandb calls a run's arm in its config
COLUMNS = (
    *(f"config:{ARM}.value", "config:seed.value", "summary:status", "summary:epochs_to_fit"),
    *(f"summary:{metric}" for metric in METRICS),
)
BANDS = (
    "Lines and bars are means over the seeds of an arm; bands are one standard deviation. W&B "
    "computes both from the runs that it holds: runs that were not sent or have not ended are "
    "missing, and a run that was trained again from scratch counts twice. The verdicts and their "
    "intervals come from the records, not from these panels. The line of a diverged run ends where "
    "its loss is no longer a number; epochs to fit are those of runs that did fit."
)


class Place(NamedTuple):
    """Where a study's runs are in W&B; no entity stands for the account's own."""

    study: str
    entity: str | None
    project: str
    group: str


def runs_of(place: Place, arms: int) -> wr.PanelGrid:
    """Return the panels of a study, its runs grouped by arm."""
    import wandb_workspaces.reports.v2 as wr

    runset = wr.Runset(
        entity=place.entity or "",
        project=place.project,
        name=place.study,
        filters=f"Metric('Group') == {_quoted(place.group)} and Metric('JobType') != '{REPORT}' "
        "and Metric('State') == 'finished'",  # of one that a dying server had in part is another
        groupby=[f"config.{ARM}"],
        order=[wr.OrderBy(wr.Config(ARM), ascending=True)],
        pinned_columns=list(COLUMNS),
    )
    grouped = {
        "groupby": wr.Config(ARM),
        "groupby_aggfunc": "mean",
        "groupby_rangefunc": "stddev",
        "max_runs_to_show": max(10, arms),
    }
    lines = [*METRICS.items(), ("gradient_exact_cosine", "cosine with the exact gradient")]
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


def figures_of(place: Place, names: Sequence[str], report_run: str | None) -> wr.PanelGrid:
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
