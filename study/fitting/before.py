"""Checks everything that can fail before training, so that a bad request writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from study.base.files import take_leftovers_away
from study.data.prepare import DataCache
from study.fitting.leftovers import drop_locks, drop_states
from study.records.measured import resolved
from study.records.writing import Folder
from study.runs.command_line import Request
from study.runs.packing import StackPlan, plan
from study.runs.run import Run
from study.wandb.ledger import Ledger


class Work(NamedTuple):
    """The work that is left for a request.

    Attributes
    ----------
    request
        The user's request.
    folder
        The study's folder.
    share
        The runs of this process's share.
    ended
        The ids of the study's ended runs.
    pending
        The share's runs that have not ended, or that are trained again for a measure they lack.
    plans
        The stacks in which the pending runs are trained.
    unsent
        The ids of the share's ended runs that W&B lacks.
    """

    request: Request
    folder: Folder
    share: Sequence[Run]
    ended: set[str]
    pending: Sequence[Run]
    plans: Sequence[StackPlan]
    unsent: set[str]


def work_of(request: Request) -> Work:
    """Find out which work is left for a request; writes nothing.

    Raises
    ------
    BadInput
        The folder is another study's, a network is too large, or an object of the user's cannot be
        imported.
    """
    study = request.study
    study.check_outside()  # first, as plans need the sizes of the user's own data sets
    folder = Folder(request.out, study.name)
    ended = folder.ended()
    share = request.shard.take(study.runs)
    done = ended - folder.unmeasured(resolved(study.measures)).keys()
    pending = [run for run in share if run.id not in done]
    unsent = {run.id for run in share if run.id in ended}
    unsent -= unsent if study.wandb.mode == "off" else Ledger(request.out).published()
    return Work(request, folder, share, ended, pending, plan(study, pending), unsent)


def check_outside(work: Work) -> None:
    """Check the callbacks, loggers and schedules that a study names.

    Raises
    ------
    BadInput
        A callback or logger cannot be made, or would stop or change runs; or a schedule cannot be
        made, or ends before training does.
    """
    trainer = work.request.study.trainer
    scheduled = any(run.optimizer.schedule for run in work.pending)
    if work.pending and (trainer.callbacks or trainer.logger or scheduled):
        # Imported only when needed, because a plan should appear before torch is imported.
        from study.training.trainer import check_classes, quiet

        quiet()
        check_classes(work.request.study, work.pending)


def tidy(work: Work) -> None:
    """Remove the locks, partly written files and checkpoints that killed processes left."""
    out = work.request.out
    drop_locks(out, (run.id for run in work.share if run.id in work.ended))
    if work.request.shard.number == 1:  # one task does it for all
        take_leftovers_away(out)
        drop_states(out, work.ended)


def begin(work: Work) -> DataCache:
    """Load the data, try to make all classes that the runs name, and begin the study's folder.

    Raises
    ------
    BadInput
        A data set is missing or differs from the recorded one, or a class cannot be made.
    """
    from study.runs.config import study_yaml
    from study.training.trainer import check_classes, quiet

    quiet()
    cache = DataCache()
    checksums = {run.data.dataset: cache.source(run.data)[1] for run in work.pending}
    for dataset, checksum in checksums.items():
        work.folder.check_source(dataset, checksum)
    if work.pending:
        check_classes(work.request.study, work.pending)
    work.folder.begin(study_yaml(work.request.study))
    for dataset, checksum in checksums.items():
        work.folder.check_source(dataset, checksum, begin=True)
    return cache
