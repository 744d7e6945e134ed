"""``python -m reports.wandb FOLDER…``: the report as one of W&B's, with panels of its runs."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from reports.arguments import figure_names, parser
from study.base.command import DONE, FAILED, Parser, run_command
from study.base.errors import BadInput
from study.base.text import plain


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 bad input, 1 a server that does not take it."""
    return run_command(_main, argv, "reports.wandb")


def _main(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    from reports.wandb.send import NotSent, prepare_client

    prepare_client()
    try:
        _report(arguments)
    except NotSent as fault:
        print(f"reports.wandb: {fault}", file=sys.stderr)
        return FAILED
    return DONE


def _parser() -> Parser:
    made = parser(
        "reports.wandb",
        "Make a report in W&B of studies whose runs are there: the verdicts of their records, "
        "panels of the runs by arm, figures and claims as a run of its own.",
    )
    made.add_argument("--entity", help="the user or team (default: as study.yaml says)")
    made.add_argument("--project", help="the project (default: as study.yaml says)")
    made.add_argument("--title", default="", help="its title (default: the studies' names)")
    made.add_argument(
        "--dry-run", action="store_true", help="write what would be saved as JSON; ask no server"
    )
    made.add_argument(
        "--out", type=Path, help="of --dry-run: where to (default: FOLDER/report/wandb.json)"
    )
    return made


def _report(arguments: argparse.Namespace) -> None:
    names = figure_names(arguments.figures)
    _check_library()
    from reports.claims import SHIPPED, load_claims
    from reports.drawing import describe, draw_all
    from reports.read import read
    from reports.verdicts import judge_all
    from reports.wandb.send import send_report, send_run
    from reports.wandb.spec import LONGEST_TITLE, as_json, places, spec
    from study.base.files import write_whole

    if len(arguments.title) > LONGEST_TITLE:
        raise BadInput("title", f"at most {LONGEST_TITLE} characters", arguments.title)
    claims = load_claims([SHIPPED, *arguments.claims])
    records = read(arguments.folders)
    verdicts = judge_all(claims, records)
    at = places(records, arguments.entity, arguments.project)
    for line in records.left_out:
        print(plain(f"left out: {line}"), file=sys.stderr)
    if arguments.dry_run:
        drawn = [describe(name, records, verdicts)[0] for name in names]
        out = arguments.out or arguments.folders[0] / "report" / "wandb.json"
        report = spec(records, verdicts, drawn, at, arguments.title)
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, as_json(report, at).encode("utf-8", "backslashreplace"))
        print(out)
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        figures = Path(folder) / "figures"
        figures.mkdir()
        drawn = draw_all(names, records, verdicts, figures, "web")
        entity, run = send_run(at[0], verdicts, drawn, figures)
        # The server has said by now which entity is the account's own.
        at = [each._replace(entity=each.entity or entity) for each in at]
        print(send_report(spec(records, verdicts, drawn, at, arguments.title, run)))


def _check_library() -> None:
    try:
        import wandb_workspaces.reports.v2  # noqa: F401  # whether it is there
    except ImportError as error:
        hint = "pip install 'study[wandb]'"
        raise BadInput("wandb-workspaces", "to be installed", str(error), hint) from None


if __name__ == "__main__":
    status = main()
    # Not by way of W&B's own clean-up, which waits for servers.
    os._exit(status)
