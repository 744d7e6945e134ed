"""``python -m study.wandb``: sends a study's folder to W&B, and turns W&B's runs into records."""

from __future__ import annotations

import argparse
import functools
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from study.base.command import DONE, FAILED, Parser, run_command
from study.base.errors import BadInput
from study.base.interrupt import SIGNALS
from study.base.text import plain

END_SECONDS = 15.0  # as long as a task waits for its follower


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 bad input, 1 anything else, such as a server that fails."""
    return run_command(_main, argv, "study.wandb")


def _main(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    return _send(arguments) if "folder" in arguments else _restore(arguments)


def _parser() -> Parser:
    parser = Parser(
        prog="python -m study.wandb",
        description="Send the runs of a study's folder to Weights & Biases, or write the records "
        "held by W&B runs into a folder that reports can read.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    follow = commands.add_parser("follow", help="send runs as they train, until the study is done")
    push = commands.add_parser("push", help="send what is there now and was not sent")
    for each in (follow, push):
        each.add_argument("folder", type=Path, metavar="FOLDER", help="a study's folder")
        each.add_argument("--offline", action="store_true", help="write files for wandb sync")
    follow.add_argument("--task", help=argparse.SUPPRESS)  # of the task that started it
    pull = commands.add_parser("pull", help="read runs from a W&B server")
    pull.add_argument("source", metavar="ENTITY/PROJECT/GROUP")
    read = commands.add_parser("read", help="read offline-run-… folders")
    read.add_argument("source", metavar="DIR", help="a folder that contains offline-run-… folders")
    for each in (pull, read):
        each.add_argument("--out", type=Path, help="the new folder (default: results/<name>-wandb)")
    return parser


def _send(arguments: argparse.Namespace) -> int:
    from study.wandb.client import one_line
    from study.wandb.follow import send
    from study.wandb.ledger import push_command, sync_command

    say = functools.partial(print, flush=True)
    folder, task, over = arguments.folder, getattr(arguments, "task", None), threading.Event()
    share: list[str] = []
    if arguments.command == "push":
        over.set()
    elif task is not None:
        share = json.loads(sys.stdin.readline())
        threading.Thread(target=_listen, args=(over,), daemon=True).start()
    for number in SIGNALS:  # a task gets them itself, and then closes the input of its follower
        signal.signal(number, signal.SIG_IGN if task else lambda *_: over.set())
    try:
        sent = send(folder, say, over, offline=arguments.offline, task=task, share=share)
    except BadInput:
        raise
    except Exception as error:  # the client may raise anything
        again = push_command(folder)
        again += " --offline" if arguments.offline else ", or with --offline as files"
        later = "" if task else f"; nothing is lost; again: {again}"
        say(f"W&B: {one_line(error)}{later}")
        return FAILED
    if task is None:
        done = f"written; {sync_command(folder)}" if arguments.offline else "sent"
        say(f"{folder}: {sent} runs {done}")
    return DONE


def _listen(over: threading.Event) -> None:
    """Wait for the end of the input, which the task closes, or the system if it was killed."""
    for _ in sys.stdin:
        continue
    over.set()
    # A task that was killed waits no more, and one that goes on with its runs waits for this one.
    time.sleep(END_SECONDS)
    os._exit(FAILED)


def _restore(arguments: argparse.Namespace) -> int:
    from study.wandb.offline import read_all_offline
    from study.wandb.online import read_online
    from study.wandb.restore import restore

    online = arguments.command == "pull"
    fetched = (read_online if online else read_all_offline)(arguments.source)
    out, number = restore(
        fetched, arguments.out, lambda line: print(plain(f"left out: {line}"), file=sys.stderr)
    )
    print(f"{out}: {number} runs; python -m reports {out}")
    return DONE


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # Skip W&B's own clean-up, which waits for servers.
    os._exit(status)
