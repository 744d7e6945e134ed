"""Send a report to W&B: a run that holds its figures and claims, and then the report itself."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from reports import tables
from reports.drawing import Drawn
from reports.verdicts import Verdict
from reports.wandb.panels import CLAIMS, REPORT, Place
from study.wandb.client import INIT_SECONDS, quiet_settings, without_keys

if TYPE_CHECKING:
    import wandb_workspaces.reports.v2 as wr

FINISH_SECONDS, ANSWER_SECONDS = 10.0, 5.0
REPORT_SECONDS = 30.0  # some ten requests, one after another
Result = TypeVar("Result")


class NotSent(Exception):
    """The server refused the report, or no API key is set; the message never contains the key."""


def prepare_client() -> None:
    """Keep the client quiet; to be called before it is imported."""
    # Otherwise it looks up where to report its own errors to.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    os.environ.setdefault("WANDB_HTTP_TIMEOUT", str(int(ANSWER_SECONDS)))
    # Silent, it does not ask for a key in a terminal either, and fails in one line.
    os.environ["WANDB_SILENT"] = "true"


def send_run(
    place: Place, verdicts: Sequence[Verdict], drawn: Sequence[Drawn], figures: Path
) -> tuple[str, str]:
    """Make the run that holds figures and claims; return its entity and its id.

    Parameters
    ----------
    place
        The study in whose group it stands.
    verdicts
        The claims.
    drawn
        The figures.
    figures
        The folder of their files; the client writes its own beside them.

    Raises
    ------
    NotSent
        No key, or a server that does not take it.
    """
    seconds = INIT_SECONDS + FINISH_SECONDS
    return _in_time("the figures", seconds, lambda: _log(place, verdicts, drawn, figures))


def send_report(report: wr.Report) -> str:
    """Save the report; return its address.

    Raises
    ------
    NotSent
        A server that does not take it.
    """
    return _in_time("the report", REPORT_SECONDS, lambda: str(report.save().url))


def _in_time(what: str, seconds: float, do: Callable[[], Result]) -> Result:
    """Run a request within a time limit, because the client retries for minutes when refused."""
    results: list[Result] = []
    faults: list[str] = []

    def work() -> None:
        try:
            results.append(do())
        except BaseException as error:  # whatever a client or a server may come up with
            faults.append(f"{type(error).__name__}: {without_keys(str(error))}")

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(seconds)
    if results:
        return results[0]
    reason = faults[0] if faults else f"no answer in {seconds:g} seconds"
    raise NotSent(" ".join(f"{what} could not be sent to W&B: {reason}".split())[:300])


def _log(
    place: Place, verdicts: Sequence[Verdict], drawn: Sequence[Drawn], figures: Path
) -> tuple[str, str]:
    import wandb

    run = wandb.init(
        entity=place.entity,
        project=place.project,
        group=place.group,
        job_type=REPORT,
        name=f"report of {place.group}"[:128],
        id=uuid4().hex[:12],  # one of its own, whatever the environment says
        dir=str(figures.parent),
        mode="online",
        reinit="create_new",
        settings=quiet_settings(FINISH_SECONDS),
    )
    run.log(
        {
            CLAIMS: wandb.Table(dataframe=tables.verdict_table(verdicts)),
            **{
                f"figures/{each.name}": wandb.Image(
                    str(figures / f"{each.name}.png"), caption=f"{each.caption} {each.alt}"
                )
                for each in drawn
                if not each.why_not
            },
        }
    )
    run.finish()
    return run.entity, run.id
