"""``python -m study.fit``: parse, plan, train, say where the results are."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from study.base.command import DONE, INTERRUPTED, run_command

if TYPE_CHECKING:
    from rich.console import Console

    from study.data.prepare import DataCache
    from study.records.writing import Folder
    from study.runs.command_line import Request
    from study.runs.packing import StackPlan


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 bad input, 130 interrupted (state saved), 1 anything else."""
    return run_command(_fit, argv, "study.fit", go_on)


def go_on(argv: Sequence[str]) -> str:
    """Say how to start this command again."""
    return f"go on with: {shlex.join(['python', '-m', 'study.fit', *argv])}"


def _fit(argv: Sequence[str]) -> int:
    from study.runs.command_line import read
    from study.runs.config import study_yaml

    request = read(argv)
    study = request.study
    # Late, so that a wrong config is reported before anything heavy is imported.
    from study.base.files import take_leftovers_away
    from study.data.prepare import DataCache
    from study.fitting.before import check
    from study.fitting.leftovers import drop_locks, drop_states
    from study.records.writing import Folder
    from study.runs.packing import plan
    from study.terminal.console import console as make_console
    from study.terminal.plan import show
    from study.wandb.ledger import Ledger

    console = make_console()
    folder = Folder(request.out, study.name)
    ended = folder.ended()
    share = request.shard.take(study.runs)
    pending = [run for run in share if run.id not in ended]
    study.check_outside()
    plans = plan(study, pending)
    unsent = {run.id for run in share if run.id in ended}
    unsent -= unsent if study.wandb.mode == "off" else Ledger(request.out).published()
    for each in request.replaced:
        console.print(each)
    if request.plan:
        if pending and (study.base.trainer.callbacks or study.base.trainer.logger):
            # Only then, as a plan is to be there before torch can be imported.
            from study.training.trainer import check_classes, quiet

            quiet()
            check_classes(study, pending)
        show(study, plans, request.shard, ended, console)
        return DONE
    drop_locks(request.out, (run.id for run in share if run.id in ended))
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
            show(study, plans, request.shard, ended, console)
        else:
            all_there = f"{study.name}: all {len(share)} runs are recorded already"
            console.print(f"{all_there}, W&B lacks {len(unsent)} of them")
        if not _train(request, folder, plans, unsent, cache, console):
            console.print(f"stopped, state saved; {go_on(argv)}", soft_wrap=True)
            return INTERRUPTED
    else:
        console.print(f"{study.name}: all {len(share)} runs are recorded already")
    _conclude(request, console)
    return DONE


def _train(
    request: Request,
    folder: Folder,
    plans: Sequence[StackPlan],
    unsent: Collection[str],
    cache: DataCache,
    console: Console,
) -> bool:
    """Train, with everything that looks on; return whether all runs ended."""
    from study.fitting.session import Session
    from study.runs.config import study_yaml
    from study.sharing.tasks import Task
    from study.terminal.display import Display
    from study.wandb.observer import WandbObserver

    study, say = request.study, functools.partial(console.print, soft_wrap=True)
    task = Task(folder.path, str(request.shard))
    wandb = WandbObserver(study, study_yaml(study), folder.path, say)
    with Display(study, [run for each in plans for run in each.runs], console) as display:
        return Session(study, folder, cache, task, wandb, [display], say).train(plans, unsent)


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
