"""``python -m study.fit``: trains a study and says where its results are."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence

from study.base.command import DONE, FAILED, INTERRUPTED, run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    0 done, 1 a run or anything else failed, 2 bad input, 130 interrupted (state saved).
    """
    return run_command(_fit, argv, "study.fit", go_on)


def go_on(argv: Sequence[str]) -> str:
    """Return the command that continues, as a hint."""
    return f"go on with: {shlex.join(['python', '-m', 'study.fit', *argv])}"


def _fit(argv: Sequence[str]) -> int:
    from study.runs.command_line import read

    request = read(argv)
    # Imported only now, so that a wrong config is reported before anything heavy is imported.
    from study.base.text import counted
    from study.fitting.before import begin, check_outside, tidy, work_of
    from study.terminal.console import console as make_console
    from study.terminal.plan import show
    from study.wandb.process import awaited

    console, study = make_console(), request.study
    work = work_of(request)
    for each in request.replaced:
        console.print(each, soft_wrap=True)
    if request.plan:
        check_outside(work)
        show(study, work.plans, request.shard, work.ended, console)
        return DONE
    tidy(work)
    failed: Mapping[str, str] = {}
    left = 0
    if work.pending or work.unsent or awaited(study):
        cache = begin(work)
        show(study, work.plans, request.shard, work.ended, console)
        if work.unsent:
            console.print(f"W&B lacks {counted(len(work.unsent), 'recorded run')}")
        from study.fitting.session import train

        ending = train(work, cache, console)
        if ending.interrupted:
            console.print(f"stopped, state saved; {go_on(argv)}", soft_wrap=True)
            return INTERRUPTED
        failed, left = ending.failed, ending.left
    else:
        console.print(f"{study.name}: all {len(work.share)} runs are recorded already")
    from study.fitting.after import conclude

    conclude(request, left, failed, console)
    return FAILED if failed else DONE


if __name__ == "__main__":
    sys.exit(main())
