"""What is found out and tried before a study begins to train, so that nothing is written before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from study.base.files import take_leftovers_away
from study.data.prepare import DataCache
from study.records.checkpoints import Checkpoints, check_format, saved_runs
from study.records.ledgers import read_ledgers
from study.records.live import drop_rows, tasks_of
from study.records.measured import resolved
from study.records.writing import Folder
from study.runs.command_line import Request
from study.runs.config import study_yaml
from study.runs.packing import StackPlan, plan
from study.runs.run import Run
from study.runs.settings import Optimizer
from study.sharing.locks import Locks
from study.wandb.ledger import Ledger


class Work(NamedTuple):
    """What a request leaves to do.

    Attributes
    ----------
    request
        What was asked for.
    folder
        The study's folder.
    share
        The runs of this process's share.
    ended
        The ids of runs that have ended.
    pending
        The runs that this process may train: those that have not ended, or lack a measure.
    plans
        The stacks that those of its share are trained in.
    unsent
        The ids of ended runs of the share that W&B lacks.
    ledgers
        The ledgers of claims that the study names.
    """

    request: Request
    folder: Folder
    share: Sequence[Run]
    ended: set[str]
    pending: Sequence[Run]
    plans: Sequence[StackPlan]
    unsent: set[str]
    ledgers: Sequence[Mapping[str, Any]]


def work_of(request: Request) -> Work:
    """Find out what a request leaves to do; writes nothing.

    Raises
    ------
    BadInput
        A folder that is another study's, a network that is too large, an object of the user's
        that cannot be had, or a ledger of claims that cannot be read.
    """
    study = request.study
    study.check_outside()  # before plans, which need sizes of the user's own data sets
    ledgers = read_ledgers(study.claims)
    folder = Folder(request.out, study.name)
    ended = folder.ended()
    share = request.shard.take(study.runs)
    done = ended - folder.unmeasured(resolved(study.measures)).keys()
    pending = [run for run in request.shard.order(study.runs) if run.id not in done]
    own = [run for run in share if run.id not in done]
    unsent = {run.id for run in share if run.id in ended}
    unsent -= unsent if study.wandb.mode == "off" else Ledger(request.out).published()
    plans = plan(study, own)
    return Work(request, folder, share, ended, pending, plans, unsent, ledgers)


def check_outside(work: Work) -> None:
    """Check the callbacks and loggers that a study names.

    Raises
    ------
    BadInput
        A callback or logger cannot be made, or would stop or change runs; or a schedule cannot be
        made, or ends before training does.
    """
    trainer = work.request.study.trainer
    own = Optimizer().class_path
    tried = any(r.optimizer.schedule or r.optimizer.class_path != own for r in work.pending)
    if work.pending and (trainer.callbacks or trainer.logger or tried):
        # Imported only when needed, because a plan should appear before torch is imported.
        from study.training.trainer import check_classes, quiet

        quiet()
        check_classes(work.request.study, work.pending)


def tidy(work: Work) -> None:
    """Remove what killed processes have left: states of ended runs, rows of recorded ones.

    Raises
    ------
    BadInput
        Unfinished runs have checkpoints of the first version.
    """
    out = work.request.out
    if work.pending:
        check_format(out)
    locks = Locks(out)
    # A run that has ended is trained again, here or by another task, for measures that it lacks.
    through = work.folder.done(resolved(work.request.study.measures))
    done = {run for run in saved_runs(out) & through if not locks.held(run)}
    Checkpoints(out, print).remove(done)
    if work.request.shard.number == 1:  # one task does this for all
        take_leftovers_away(out)
        for task in tasks_of(out):
            if not locks.held(task["task"]):
                drop_rows(out, task["task"], of=work.ended)


def check_data(work: Work) -> tuple[DataCache, dict[str, str]]:
    """Load the data and try all classes that runs name; nothing is written.

    Returns
    -------
    cache
        The data.
    checksums
        The checksum of each data set, by its name.

    Raises
    ------
    BadInput
        A data set is missing or not the one this study began with, or a class cannot be made.
    """
    from study.training.trainer import check_classes, quiet

    quiet()
    cache = DataCache()
    checksums = {run.data.dataset: cache.source(run.data)[1] for run in work.pending}
    for dataset, checksum in checksums.items():
        work.folder.check_source(dataset, checksum)
    if work.pending:
        check_classes(work.request.study, work.pending)
    return cache, checksums


def begin(work: Work) -> DataCache:
    """Check what `check_data` checks, begin the folder, and return the data."""
    cache, checksums = check_data(work)
    out = work.request.out
    untouched = not work.ended and not saved_runs(out) and not tasks_of(out)
    work.folder.begin(study_yaml(work.request.study))
    if untouched:  # later, somebody may have looked at runs before stating claims
        work.folder.state(work.ledgers)
    for dataset, checksum in checksums.items():
        work.folder.check_source(dataset, checksum, begin=True)
    return cache
