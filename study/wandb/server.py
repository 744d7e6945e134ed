"""Keeps runs of a study's folder on a W&B server, live."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.wandb.client import own_folder, quiet_settings
from study.wandb.content import Content
from study.wandb.ledger import BEGUN, FINISHED, Ledger
from study.wandb.writing import FINISH_SECONDS, fill, log, start

if TYPE_CHECKING:
    import wandb

ANSWER_SECONDS = 5


class Server:
    """The runs on the server; ``open`` has those that are being sent."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder, self.ledger, self.say = folder, Ledger(folder), say
        self.open: dict[str, wandb.Run] = {}
        self._said_where = False

    def log(self, content: Content) -> None:
        """Log the epochs that the server lacks, to a run that is begun or resumed if need be."""
        log(self.open.get(content.run) or self._begin(content), content.rows)

    def _begin(self, content: Content) -> wandb.Run:
        """Begin or resume a run on the server, which takes no id of a deleted run again."""
        import wandb

        known = self.ledger.online(content.run)
        begun = [known["id"]] if known else []
        for wandb_id in itertools.chain(begun, self.ledger.unused(content.run)):
            self.ledger.note(content.run, wandb_id, BEGUN)
            try:
                run = start(content, wandb_id, self.folder, "online", "allow")
                break
            except wandb.errors.CommError as error:
                if "previously created and deleted" not in str(error):
                    raise
        self.open[content.run] = run
        if not self._said_where:
            self.say(f"W&B: {run.project_url}, group {content.settings['group']}")
            self._said_where = True
        return run

    def end(self, content: Content) -> None:
        """Finish a run; `finished` tells later whether it arrived."""
        self.log(content)
        run = self.open.pop(content.run)
        run.config.update(content.config, allow_val_change=True)  # type: ignore[no-untyped-call]
        fill(run, content, self.folder)
        run.finish(exit_code=0)

    def stop(self, run: str, exit_code: int) -> None:
        """Leave a run as stopped on the server; it resumes with its training."""
        self.open.pop(run).finish(exit_code=exit_code)

    def finished(self, runs: Collection[str], project: str) -> set[str]:
        """Ask which runs the server has whole, because the client hides its refusals; note them."""
        import wandb

        ids = {known["id"]: run for run in runs if (known := self.ledger.online(run))}
        if not ids:
            return set()
        with own_folder():
            found = wandb.Api(timeout=ANSWER_SECONDS).runs(project, {"name": {"$in": [*ids]}})
            try:
                ended = {run.id for run in found if run.state == "finished"}
            except ValueError:  # the project does not exist yet
                return set()
        for wandb_id in ended:
            self.ledger.note(ids[wandb_id], wandb_id, FINISHED)
        return {ids[wandb_id] for wandb_id in ended}


def tell_sweep(
    sweep: Mapping[str, str], summaries: Sequence[Mapping[str, Any]], folder: Path
) -> None:
    """Send the run that a sweep's agent waits for: the means over its runs."""
    import wandb

    settings = quiet_settings(FINISH_SECONDS)
    settings.sweep_id = sweep["SWEEP_ID"]
    settings.sweep_param_path = sweep.get("SWEEP_PARAM_PATH")
    run = wandb.init(
        id=sweep.get("RUN_ID"),
        project=sweep.get("PROJECT"),
        dir=str(folder),
        settings=settings,
        reinit="create_new",
    )
    names = [name for name, value in summaries[0].items() if isinstance(value, float)]
    run.log({name: sum(each[name] for each in summaries) / len(summaries) for name in names})
    run.finish()
