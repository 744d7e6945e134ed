"""What another process answers in tests of measurements: some answers, some trouble."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection

from benchmarks.gpu.measuring import Item, Limits


def answering(connection: Connection, device: str, limits: Limits) -> None:
    """Answer with the number of items asked so far; three names hang, die or break."""
    asked = 0
    while True:
        try:
            item = Item(*connection.recv())
        except EOFError:
            return
        asked += 1
        if item.name == "hangs":
            time.sleep(600)
        if item.name == "dies":
            os._exit(1)
        if item.name == "breaks":
            connection.send({"not_measured": "CUDA error", "broken": True})
            continue
        connection.send({"asked": asked, "device": device})
