"""Makes a W&B run of what a study's folder holds of one, with W&B's own client."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from study.base.files import read_regular, sha256
from study.records.images import MOST_BYTES
from study.records.parquet import parquet
from study.wandb.client import quiet_settings
from study.wandb.content import PREDICTIONS, Content
from study.wandb.ledger import PARTIAL, Ledger

if TYPE_CHECKING:
    import wandb

FINISH_SECONDS = 5.0
MOST_ROWS = 1_000  # of the table of predictions, of which a file has all
ANSWERS = ["part", "example", "label", "true_label", "said", "confidence", "label_probability"]


def write_files(content: Content, folder: Path) -> None:
    """Write a recorded run as a folder of files for ``wandb sync``, which appears whole."""
    wandb_id = next(Ledger(folder).unused(content.run))
    # A new folder for each run, because its age tells other tasks that it is in use.
    partial = folder / "wandb" / f"{PARTIAL}{uuid4().hex[:12]}"
    partial.mkdir()
    run = start(content, wandb_id, partial, "offline")
    log(run, content.rows)
    fill(run, content, folder)
    place = Path(run.dir).parent
    run.finish()
    place.rename(folder / "wandb" / place.name)
    shutil.rmtree(partial, ignore_errors=True)


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


def log(run: wandb.Run, rows: list[dict[str, Any]]) -> None:
    """Log the epochs that W&B lacks, with the epoch as step."""
    since = run.step  # the newest epoch's, which is the same when it is logged again
    for row in rows:
        if row["epoch"] >= since:
            run.log({k: v for k, v in row.items() if k != "run"}, step=row["epoch"])


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
