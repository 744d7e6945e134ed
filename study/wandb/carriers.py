"""The two ways in which runs go to W&B: `Offline` writes files, `Online` writes to a server."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from study.base.files import make_room, read_regular, sha256, stale
from study.records.images import MOST_BYTES
from study.records.parquet import parquet
from study.runs.settings import Wandb
from study.wandb.client import own_folder, quiet_settings
from study.wandb.content import PREDICTIONS, Content
from study.wandb.ledger import BEGUN, FINISHED, PARTIAL, Ledger

if TYPE_CHECKING:
    import wandb

FINISH_SECONDS, ANSWER_SECONDS = 5.0, 5
CONFIRM_SECONDS, STOP_SECONDS = 6.0, 10.0
MOST_ROWS = 1_000  # of the table of predictions, of which a file has all
ANSWERS = ["part", "example", "label", "true_label", "said", "confidence", "label_probability"]


class Offline:
    """Writes each ended run as a folder of files, which appears whole, and is in ``arrived``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ledger = folder, Ledger(folder)
        self.arrived: set[str] = set()
        make_room(folder / "wandb")
        for left in stale(folder / "wandb", f"{PARTIAL}*"):
            shutil.rmtree(left, ignore_errors=True)

    def end(self, content: Content) -> None:
        """Write a run, but none that was begun on the server, where it goes on."""
        if self.ledger.online(content.run):
            return
        # A new folder for each run, because its age tells other tasks that it is in use.
        partial = self.folder / "wandb" / f"{PARTIAL}{uuid4().hex[:12]}"
        partial.mkdir()
        run = start(content, self.ledger.unused(content.run), partial, "offline")
        log(run, content.rows, 0)
        fill(run, content, self.folder)
        place = Path(run.dir).parent
        run.finish()
        place.rename(self.folder / "wandb" / place.name)
        shutil.rmtree(partial, ignore_errors=True)
        self.arrived.add(content.run)


class Online:
    """Keeps a W&B run on the server for each training run.

    ``live`` has those that are being sent, ``arrived`` the ids of runs that the server has whole.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder, self.ledger, self.say = folder, Ledger(folder), say
        make_room(folder / "wandb")
        self.live: dict[str, wandb.Run] = {}
        self.arrived: set[str] = set()
        self._lacks: dict[str, int] = {}  # the first epoch that the server does not have
        self._unconfirmed: dict[str, wandb.Run] = {}
        self._said_where = False

    def begun(self, runs: Collection[str], place: Wandb) -> set[str]:
        """Return the runs that have arrived, of those begun by a process that could not note it."""
        ids = {self.ledger.online(run).get("id", ""): run for run in runs}
        ended = ended_there(ids.keys() - {""}, place.entity, place.project)
        return self._note({ids[each]: each for each in ended})

    def log(self, content: Content) -> None:
        """Log the epochs that the server lacks, to a run that is begun or resumed if need be."""
        run = self.live.get(content.run) or self._open(content)
        self._lacks[content.run] = log(run, content.rows, self._lacks[content.run])

    def _open(self, content: Content) -> wandb.Run:
        """Begin or resume a run on the server, which takes no id of a deleted run again."""
        import wandb

        wandb_id, taken = self.ledger.online(content.run).get("id"), set[str]()
        while True:
            wandb_id = wandb_id or self.ledger.unused(content.run, taken)
            self.ledger.note(content.run, wandb_id, BEGUN)
            try:
                run = start(content, wandb_id, self.folder, "online", "allow")
                break
            except wandb.errors.CommError as error:
                if "previously created and deleted" not in str(error):
                    raise
                taken.add(wandb_id)
                wandb_id = None
        self.live[content.run], self._lacks[content.run] = run, run.starting_step
        if not self._said_where:
            self.say(f"W&B: {run.project_url}, group {content.settings['group']}")
            self._said_where = True
        return run

    def end(self, content: Content) -> None:
        """Finish a run; `confirm` asks the server later whether the run arrived."""
        self.log(content)
        run = self.live.pop(content.run)
        run.config.update(content.config, allow_val_change=True)  # type: ignore[no-untyped-call]
        fill(run, content, self.folder)
        run.finish(exit_code=0)
        self._unconfirmed[content.run] = run

    def stop(self, run: str, exit_code: int) -> None:
        """Leave a run as stopped on the server; it resumes with its training."""
        self.live.pop(run).finish(exit_code=exit_code)

    def confirm(self, patience: float = 0) -> None:
        """Ask the server which runs are finished, because the client hides the server's refusals.

        Raises
        ------
        RuntimeError
            The server lacks runs after ``patience`` seconds, in which it was asked at least twice.
        """
        until = time.monotonic() + patience
        for look in itertools.count():
            if not self._unconfirmed:
                return
            one = next(iter(self._unconfirmed.values()))
            ids = {run.id: name for name, run in self._unconfirmed.items()}
            for name in self._note({ids[i]: i for i in ended_there(ids, one.entity, one.project)}):
                del self._unconfirmed[name]
            if not patience or not self._unconfirmed:
                return
            if look and time.monotonic() > until:
                raise RuntimeError(f"{len(self._unconfirmed)} runs did not arrive whole")
            time.sleep(1.0)

    def _note(self, arrived: Mapping[str, str]) -> set[str]:
        """Note runs that have arrived, with their W&B ids."""
        for name, wandb_id in arrived.items():
            self.ledger.note(name, wandb_id, FINISHED)
        self.arrived |= arrived.keys()
        return set(arrived)

    def close(self) -> None:
        """Leave unfinished runs as stopped."""
        self.confirm(CONFIRM_SECONDS)
        until = time.monotonic() + STOP_SECONDS
        for name in list(self.live):
            if time.monotonic() < until:  # the server marks the others crashed; they resume, too
                self.stop(name, 130)


def ended_there(ids: Collection[str], entity: str | None, project: str) -> set[str]:
    """Return the ids of the runs that are finished on the server."""
    import wandb

    if not ids:
        return set()
    with own_folder():
        api = wandb.Api(timeout=ANSWER_SECONDS)
        found = api.runs(f"{entity or api.default_entity}/{project}", {"name": {"$in": [*ids]}})
        try:
            return {run.id for run in found if run.state == "finished"}
        except ValueError:  # the project does not exist yet
            return set()


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
        settings=quiet_settings(FINISH_SECONDS, content.watched),
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
    """Add an ended run's summary, table and files."""
    import wandb

    files = Path(run.dir)
    run.summary.update(dict(content.summary))
    if content.predictions is not None:
        (files / PREDICTIONS).write_bytes(written := parquet(content.predictions))
        run.summary["predictions_hash"] = sha256([written])
        run.save(str(files / PREDICTIONS), base_path=str(files), policy="now")
    if content.answers is not None:
        # Training examples first.
        answers = content.answers.sort_values("part", ascending=False, kind="stable")
        table = wandb.Table(dataframe=answers[ANSWERS].head(MOST_ROWS).reset_index(drop=True))
        # Bound, it is a file of the run. Otherwise the client makes an artifact of it as well,
        # whose files an offline run would leave in the user's home folder.
        table.bind_to_run(run, "predictions", "summary")  # type: ignore[no-untyped-call]
        run.summary["predictions"] = table
    for name in content.images:
        (files / "images").mkdir(exist_ok=True)
        image = read_regular(folder / "images" / f"{name}.npy", MOST_BYTES)
        (files / "images" / f"{name}.npy").write_bytes(image)
        run.save(str(files / "images" / f"{name}.npy"), base_path=str(files), policy="now")
