"""The courier's two ways to send runs: `Offline` writes files, `Online` writes to a server."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import shutil
import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from study.base.files import make_room, stale
from study.wandb.client import own_folder, quiet_settings
from study.wandb.content import PREDICTIONS, Content
from study.wandb.ledger import ASKED, BEGUN, FINISHED, PARTIAL, Ledger

if TYPE_CHECKING:
    import wandb

FINISH_SECONDS, ANSWER_SECONDS = 5.0, 5
CONFIRM_SECONDS, STOP_SECONDS = 6.0, 10.0
MOST_UNCONFIRMED = 16


class Offline:
    """Writes each ended run as a folder of files, which appears whole.

    Parameters
    ----------
    folder
        The study's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = Ledger(folder)
        make_room(folder / "wandb")
        for left in stale(folder / "wandb", f"{PARTIAL}*"):
            shutil.rmtree(left, ignore_errors=True)

    def end(self, content: Content) -> None:
        """Write a run."""
        # A new folder for each run, because its age tells other tasks that it is in use.
        partial = self.folder / "wandb" / f"{PARTIAL}{uuid4().hex[:12]}"
        partial.mkdir()
        wandb_id = self.ledger.unused(content.run)
        run = start(content, wandb_id, partial, "offline")
        log(run, content.history, 0)
        fill(run, content, self.folder)
        place = Path(run.dir).parent
        run.finish()
        place.rename(self.folder / "wandb" / place.name)
        shutil.rmtree(partial, ignore_errors=True)
        say(published=[content.run])


class Online:
    """Keeps a W&B run on the server for each training run.

    Parameters
    ----------
    folder
        The study's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = Ledger(folder)
        make_room(folder / "wandb")
        self.live: dict[str, wandb.Run] = {}
        self.lacks: dict[str, int] = {}  # the first epoch that the server does not have
        self.unconfirmed: dict[str, wandb.Run] = {}

    def open(self, content: Content) -> None:
        """Begin or resume a run on the server, and log the epochs that the server lacks."""
        known = self.ledger.online(content.run)
        taken: set[str] = set()
        while content.run not in self.live:
            wandb_id = known.get("id") or self.ledger.unused(content.run, taken)
            if not known:
                self.ledger.note(content.run, wandb_id, ASKED)
            run = self._begin(content, wandb_id, known.get("state"))
            if run is None:
                say(taken=wandb_id)  # a sign of life for the training
                taken.add(wandb_id)
                known = {}
                continue
            self.ledger.note(content.run, wandb_id, BEGUN)
            self.live[content.run], self.lacks[content.run] = run, run.starting_step
            say(url=run.project_url)
        self.log(content.run, content.history)

    def _begin(self, content: Content, wandb_id: str, state: str | None) -> wandb.Run | None:
        """Begin or resume a run; None when its id is taken.

        An id is taken when a run from another folder has it, or when it was deleted on the server,
        which never accepts the id again.
        """
        import wandb

        if state == ASKED and logged_there(content, wandb_id):
            return None  # the run was not begun here, so the logged epochs are another folder's
        resume = "never" if state is None else "allow"
        try:
            run = start(content, wandb_id, self.folder, "online", resume)
        except wandb.errors.UsageError as error:
            if state is None and "already exists" in str(error):
                return None
            raise
        except wandb.errors.CommError as error:
            if "previously created and deleted" in str(error):
                return None
            raise
        return run

    def log(self, run: str, rows: list[dict[str, Any]]) -> None:
        """Log a run's epochs that the server lacks."""
        self.lacks[run] = log(self.live[run], rows, self.lacks[run])

    def end(self, content: Content) -> None:
        """Finish a run; `confirm` asks the server later whether the run arrived."""
        self.open(content)
        run = self.live.pop(content.run)
        fill(run, content, self.folder)
        run.finish(exit_code=0)
        say(finished=content.run)  # a sign of life for the training, as finishing may be slow
        self.unconfirmed[content.run] = run
        if len(self.unconfirmed) >= MOST_UNCONFIRMED:
            self.confirm()

    def confirm(self, patience: float = 0) -> None:
        """Ask the server which runs are finished, because the client hides the server's refusals.

        Parameters
        ----------
        patience
            Seconds to ask again for missing runs, at least twice; 0 asks once.

        Raises
        ------
        RuntimeError
            The server lacks runs after ``patience`` seconds.
        """
        until = time.monotonic() + patience
        for look in itertools.count():
            if not self.unconfirmed:
                return
            ended = ended_there(self.unconfirmed.values())
            arrived = [name for name, run in self.unconfirmed.items() if run.id in ended]
            for name in arrived:
                self.ledger.note(name, self.unconfirmed.pop(name).id, FINISHED)
            say(published=arrived)
            if not patience:
                return
            if self.unconfirmed and look and time.monotonic() > until:
                raise RuntimeError(f"{len(self.unconfirmed)} runs did not arrive whole")
            if self.unconfirmed:
                time.sleep(1.0)

    def close(self) -> None:
        """Leave unfinished runs as stopped on the server; they resume with their training."""
        self.confirm(CONFIRM_SECONDS)
        until = time.monotonic() + STOP_SECONDS
        for name, run in self.live.items():
            if time.monotonic() < until:  # the server marks the others crashed; they resume, too
                run.finish(exit_code=130)
                say(finished=name)


def ended_there(runs: Collection[wandb.Run]) -> set[str]:
    """Return the ids of the runs that are finished on the server."""
    import wandb

    one = next(iter(runs))
    filters = {"name": {"$in": [run.id for run in runs]}}
    with own_folder():
        found = wandb.Api(timeout=ANSWER_SECONDS).runs(f"{one.entity}/{one.project}", filters)
        return {run.id for run in found if run.state == "finished"}


def logged_there(content: Content, wandb_id: str) -> bool:
    """Tell whether the server has an epoch of a run with this id."""
    import wandb

    api = wandb.Api(timeout=ANSWER_SECONDS)
    path = f"{content.settings['entity'] or api.default_entity}/{content.settings['project']}"
    with own_folder():
        try:
            return any(run.lastHistoryStep >= 0 for run in api.runs(path, {"name": wandb_id}))
        except ValueError:  # the project does not exist yet
            return False


def tell_sweep(sweep: dict[str, str], summary: dict[str, float], folder: Path) -> None:
    """Send the run that a sweep's agent waits for: the means over the runs it trained."""
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
    run.log(summary)
    run.finish()


def start(
    content: Content, wandb_id: str, folder: Path, mode: str, resume: str | None = None
) -> wandb.Run:
    """Begin a run in W&B."""
    import wandb

    run = wandb.init(
        **content.settings,
        id=wandb_id,
        config=content.config,
        dir=str(folder),
        mode=mode,  # type: ignore[arg-type]  # the client lists the words
        resume=resume,  # type: ignore[arg-type]  # the same
        reinit="create_new",
        settings=quiet_settings(FINISH_SECONDS),
    )
    run.define_metric("epoch")
    run.define_metric("*", step_metric="epoch")
    return run


def log(run: wandb.Run, rows: list[dict[str, Any]], since: int) -> int:
    """Log the epochs from ``since`` on, with the epoch as step; return the next epoch to log."""
    for row in rows:
        if row["epoch"] >= since:
            run.log({k: v for k, v in row.items() if k != "run"}, step=row["epoch"])
            since = row["epoch"] + 1
    return since


def fill(run: wandb.Run, content: Content, folder: Path) -> None:
    """Add an ended run's summary and files."""
    run.summary.update(content.summary)
    files = Path(run.dir)
    if content.predictions:
        (files / PREDICTIONS).write_bytes(base64.b64decode(content.predictions))
        run.save(str(files / PREDICTIONS), base_path=str(files), policy="now")
    for name in content.images:
        (files / "images").mkdir(exist_ok=True)
        shutil.copyfile(folder / "images" / f"{name}.npy", files / "images" / f"{name}.npy")
        run.save(str(files / "images" / f"{name}.npy"), base_path=str(files), policy="now")


def say(**answer: Any) -> None:
    """Send an answer to the training."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(answer), flush=True)
