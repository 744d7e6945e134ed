"""The courier: a process beside the training that carries runs to W&B; nothing waits for it.

``python -m study.wandb.courier offline|online FOLDER`` reads messages from standard input, a JSON
line each, and answers with such lines: ``published`` names runs that have arrived whole, ``url``
says where, ``failed`` why no more will, as its last word. The client of W&B is nowhere but here:
when a server hangs, the training ends this process and goes on.
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
    """Do what messages ask for, until the last one."""
    messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read() -> None:
        # The last line may be cut off in the middle.
        with contextlib.suppress(ValueError):
            for line in sys.stdin:
                messages.put(json.loads(line))
        # The training was killed, also while it waits for the end of this process: whoever goes
        # on with it must be the only one that writes.
        os._exit(1)

    # A thread of its own, so that the training never waits for a full pipe.
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
                carrier.confirm(CONFIRM_SECONDS)  # whatever comes of the sweep's own run
                tell_sweep(message["sweep"], message["summary"], carrier.folder)
            case "close":
                if isinstance(carrier, Online):
                    carrier.close()
                return
        if isinstance(carrier, Online) and messages.empty():
            carrier.confirm()


def main(mode: str, folder: str) -> None:
    """Run the courier until its training says that it is done, or is killed."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # the training is asked to stop, and says so
    try:
        carry(Online(Path(folder)) if mode == "online" else Offline(Path(folder)))
    except Exception as error:  # whatever a client or a server may come up with
        reason = " ".join(without_keys(str(error)).split())
        say(failed=f"{type(error).__name__}: {reason}"[:300])
    sys.stdout.flush()
    # Not by way of W&B's own clean-up, which waits for servers.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
