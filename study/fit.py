"""``python -m study.fit``: parse, plan, train, say where the results are."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from study.base.errors import BadInput
from study.base.interrupt import StoppedAtOnce

if TYPE_CHECKING:
    from rich.console import Console

    from study.data.prepare import DataCache
    from study.records.writing import Folder
    from study.runs.command_line import Request
    from study.runs.packing import StackPlan
    from study.runs.run import Run
    from study.runs.study import Study

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    0 done, 2 bad input (one line says what), 130 interrupted (state saved), 1 anything else.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        return _fit(argv)
    except BadInput as fault:
        print(f"study.fit: {fault}", file=sys.stderr)
        return BAD_INPUT
    except (KeyboardInterrupt, StoppedAtOnce):
        print(f"stopped at once; go on with: {command(argv)}", file=sys.stderr)
        return INTERRUPTED
    except (OSError, MemoryError) as error:
        what = str(error) or type(error).__name__
        print(f"study.fit: {what}; go on with: {command(argv)}", file=sys.stderr)
        return FAILED


def command(argv: Sequence[str]) -> str:
    """Return the line that starts this command again."""
    return shlex.join(["python", "-m", "study.fit", *argv])


def _fit(argv: Sequence[str]) -> int:
    from study.runs.command_line import read
    from study.runs.config import study_yaml

    request = read(argv)
    study = request.study
    # Late, so that a wrong config is reported before anything heavy is imported.
    from rich.console import Console

    from study.base.files import take_leftovers_away
    from study.data.prepare import DataCache
    from study.records.writing import Folder
    from study.runs import packing as plan
    from study.sharing.leftovers import drop_claims, drop_states
    from study.wandb.ledger import Ledger

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 120
    folder = Folder(request.out, study.name)
    ended = folder.ended()
    share = request.shard.take(study.runs)
    pending = [run for run in share if run.id not in ended]
    study.check_outside()
    plans = plan.plan(study, pending)
    unsent = {run.id for run in share if run.id in ended}
    unsent -= unsent if study.wandb.mode == "off" else Ledger(request.out).published()
    for each in request.replaced:
        console.print(each)
    if request.plan:
        plan.show(study, plans, request.shard, ended, console)
        return DONE
    drop_claims(request.out, (run.id for run in share if run.id in ended))
    if request.shard.number == 1:  # one for all
        take_leftovers_away(request.out)
        drop_states(request.out, ended)
    if pending or unsent:
        cache = DataCache()
        checksums = check(study, folder, pending, cache)
        folder.begin(study_yaml(study))
        for dataset, checksum in checksums.items():
            folder.check_source(dataset, checksum, begin=True)
        if pending:
            plan.show(study, plans, request.shard, ended, console)
        else:
            all_there = f"{study.name}: all {len(share)} runs are recorded already"
            console.print(f"{all_there}, W&B lacks {len(unsent)} of them")
        if not _train(request, folder, plans, unsent, cache, console):
            console.print(f"stopped, state saved; go on with: {command(argv)}", soft_wrap=True)
            return INTERRUPTED
    else:
        console.print(f"{study.name}: all {len(share)} runs are recorded already")
    _conclude(request, console)
    return DONE


def check(study: Study, folder: Folder, pending: Sequence[Run], cache: DataCache) -> dict[str, str]:
    """Try what runs name outside this package before anything is written.

    Returns
    -------
    dict
        The checksum of each data set.
    """
    from study.training.trainer import check_classes, quiet

    quiet()
    checksums = {run.data.dataset: cache.source(run.data)[1] for run in pending}
    for dataset, checksum in checksums.items():
        folder.check_source(dataset, checksum)
    if pending:
        check_classes(study, pending)
    return checksums


def _train(
    request: Request,
    folder: Folder,
    plans: Sequence[StackPlan],
    unsent: Collection[str],
    cache: DataCache,
    console: Console,
) -> bool:
    """Train, with everything that looks on; return whether all runs ended."""
    from study.runs.config import study_yaml
    from study.sharing.tasks import Task
    from study.terminal.display import Display
    from study.training.loop import Training
    from study.wandb.logger import WandbLogger

    study, say = request.study, functools.partial(console.print, soft_wrap=True)
    task = Task(folder.path, str(request.shard))
    wandb = WandbLogger(study, study_yaml(study), folder.path, say)
    with Display(study, sum(len(each.runs) for each in plans), console) as display:
        return Training(study, folder, cache, task, wandb, [display], say).train(plans, unsent)


def _conclude(request: Request, console: Console) -> None:
    """Say what came out and where it is."""
    from study.records.reading import load
    from study.terminal import summary
    from study.wandb.ledger import sync_command

    out, shard = request.out, request.shard
    if shard.of > 1:  # as many tasks would read everything as there are shares
        console.print(f"records: {out}, share {shard}; of all: python -m study.status {out}")
        return
    summary.show(request.study, *load(out), console)
    console.print(f"records: {out} (study.load('{out}') reads them)", soft_wrap=True)
    if request.study.wandb.mode == "offline":
        console.print(f"to W&B: {sync_command(out)}", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
