"""``python -m study.fit``: parse, plan, train, say where the results are."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from study.checks import BadInput
from study.interrupt import StoppedAtOnce

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
    from study.config import read, study_yaml

    request = read(argv)
    study = request.study
    # Late, so that a wrong config is reported before anything heavy is imported.
    from rich.console import Console

    from study import plan
    from study.data.prepare import DataCache
    from study.folder import Folder
    from study.records import load

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 120
    folder = Folder(request.out, study.name)
    ended = folder.ended()
    share = request.shard.take(study.runs)
    pending = [run for run in share if run.id not in ended]
    plans = plan.plan(study, pending)
    if request.plan:
        plan.show(study, plans, request.shard, ended, console)
        return DONE
    if pending:
        cache = DataCache()
        for run in pending:
            cache.source(run.data)
        from study.display import Display
        from study.tasks import Task
        from study.trainer import check_classes, quiet
        from study.training import Training

        quiet()
        check_classes(study, pending)
        folder.begin(study_yaml(study))
        plan.show(study, plans, request.shard, ended, console)
        display = Display(study, len(pending), console)
        with display:
            task = Task(folder.path, str(request.shard))
            done = Training(study, folder, cache, task, [display], console.print).train(plans)
        if not done:
            console.print(f"stopped, state saved; go on with: {command(argv)}", soft_wrap=True)
            return INTERRUPTED
    else:
        console.print(f"{study.name}: all {len(share)} runs are recorded already")
    from study import summary

    runs, history = load(request.out)
    summary.show(study, runs, history, console)
    console.print(
        f"records: {request.out} (study.load('{request.out}') reads them)", soft_wrap=True
    )
    return DONE


if __name__ == "__main__":
    sys.exit(main())
