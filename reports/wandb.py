"""``python -m reports.wandb FOLDER…``: the report as one of W&B's, with panels of its runs."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from study.base.errors import BadInput

DONE, FAILED, BAD_INPUT = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 bad input, 1 a server that does not take it."""
    arguments = _parser().parse_args(argv)
    from reports.wandb_send import NotSent, prepare_client

    prepare_client()
    try:
        return _report(arguments)
    except NotSent as fault:
        print(f"reports.wandb: {fault}", file=sys.stderr)
        return FAILED
    except (BadInput, OSError) as fault:
        print(f"reports.wandb: {fault}", file=sys.stderr)
        return BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reports.wandb",
        description="Make a report in W&B of studies whose runs are there: the verdicts of their "
        "records, panels of the runs by condition, figures and claims as a run of its own.",
    )
    parser.add_argument("folders", nargs="+", type=Path, help="folders of studies")
    parser.add_argument("--entity", help="the user or team (default: as study.yaml says)")
    parser.add_argument("--project", help="the project (default: as study.yaml says)")
    parser.add_argument(
        "--claims", action="append", type=Path, default=[], help="a file of further claims"
    )
    parser.add_argument("--title", default="", help="its title (default: the studies' names)")
    parser.add_argument(
        "--dry-run", action="store_true", help="write what would be saved as JSON; ask no server"
    )
    parser.add_argument(
        "--out", type=Path, help="of --dry-run: where to (default: FOLDER/report/wandb.json)"
    )
    return parser


def _report(arguments: argparse.Namespace) -> int:
    from reports.claims import SHIPPED, load_claims
    from reports.drawing import draw_all
    from reports.read import read
    from reports.verdicts import judge_all
    from reports.wandb_send import send_report, send_run
    from reports.wandb_spec import as_json, places, spec
    from study.base.files import write_whole

    _check_library()
    claims = load_claims([SHIPPED, *arguments.claims])
    records = read(arguments.folders)
    verdicts = judge_all(claims, records)
    at = places(records, arguments.entity, arguments.project)
    report = spec(records, verdicts, at, arguments.title)
    for line in records.left_out:
        print(f"left out: {line}", file=sys.stderr)
    if arguments.dry_run:
        out = arguments.out or arguments.folders[0] / "report" / "wandb.json"
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, as_json(report, at).encode())
        print(out)
        return DONE
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        figures = Path(folder) / "figures"
        figures.mkdir()
        drawn = draw_all(records, verdicts, figures, "web")
        entity, run = send_run(at[0], verdicts, drawn, figures)
        # Who an account's own entity is, its server has said by now.
        at = [each._replace(entity=each.entity or entity) for each in at]
        print(send_report(spec(records, verdicts, at, arguments.title, run)))
    return DONE


def _check_library() -> None:
    try:
        import wandb_workspaces.reports.v2  # noqa: F401  # whether it is there
    except ImportError as error:
        hint = "pip install 'study[wandb]'"
        raise BadInput("wandb-workspaces", "to be installed", str(error), hint) from None


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by way of W&B's own clean-up, which waits for servers.
    os._exit(status)
