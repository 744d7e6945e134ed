"""The courier: a process beside the training that sends runs to W&B, so that training never waits.

``python -m study.wandb.courier offline|online FOLDER`` reads messages from standard input, one JSON
line each, and answers in JSON lines: ``published`` names runs that have arrived whole, ``url`` the
project's page, and a last ``failed`` the reason why no more runs will arrive. While a study trains,
W&B's client runs only here: when a server hangs, the training kills this process and goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from study.base.interrupt import SIGNALS
from study.wandb.carriers import CONFIRM_SECONDS, Offline, Online, say, tell_sweep
from study.wandb.client import without_keys
from study.wandb.content import Content


def carry(carrier: Offline | Online) -> None:
    """Process messages until ``close``."""
    messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read() -> None:
        # The last line may be incomplete.
        with contextlib.suppress(ValueError):
            for line in sys.stdin:
                messages.put(json.loads(line))
        # The pipe's end means that the training was killed. Another process may resume it and
        # must then be the only writer.
        os._exit(1)

    # A separate thread reads, so that the training never waits for a full pipe.
    threading.Thread(target=read, daemon=True).start()
    while True:
        message = messages.get()
        match message["do"]:
            case "open" if isinstance(carrier, Online):
                carrier.open(Content(**message["content"]))
            case "log" if isinstance(carrier, Online):
                carrier.log(message["run"], message["rows"])
            case "end":
                carrier.end(Content(**message["content"]))
            case "sweep" if isinstance(carrier, Online):
                carrier.confirm(CONFIRM_SECONDS)  # first, as the sweep's own run may fail
                tell_sweep(message["sweep"], message["summary"], carrier.folder)
            case "close":
                if isinstance(carrier, Online):
                    carrier.close()
                return
        if isinstance(carrier, Online) and messages.empty():
            carrier.confirm()


def main(mode: str, folder: str) -> None:
    """Run the courier until its training closes it or is killed."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # the training gets the signal and closes the courier
    try:
        carry(Online(Path(folder)) if mode == "online" else Offline(Path(folder)))
    except Exception as error:  # the client may raise anything
        reason = " ".join(without_keys(str(error)).split())
        say(failed=f"{type(error).__name__}: {reason}"[:300])
    sys.stdout.flush()
    # Skip W&B's own clean-up, which waits for servers.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
