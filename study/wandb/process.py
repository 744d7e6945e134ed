"""The follower that `study.fit` starts: a process beside the training, which never waits for it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO

from study.base.text import counted
from study.runs.study import Study
from study.wandb.ledger import Ledger, push_command

END_SECONDS = 15.0
FILE_SECONDS = 1.0  # more for each run that is written as files


def awaited(study: Study) -> bool:
    """Tell whether a sweep's agent waits for a run of its own, whatever is left to train."""
    return study.wandb.mode == "online" and "WANDB_SWEEP_ID" in os.environ


class Follower:
    """A process of ``study wandb follow``, as the training sees it.

    The process sends the runs of one task, whose progress file and records it reads. Its standard
    input says which runs are the task's share; the input's end, that the task has ended.
    """

    def __init__(self, study: Study, folder: Path, say: Callable[[str], None]) -> None:
        self.mode, self.folder, self.say = study.wandb.mode, folder, say
        self._process: subprocess.Popen[str] | None = None
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def begin(self, task: str, share: Collection[str]) -> None:
        """Start the process, for a task and the runs that it was asked for."""
        if self.mode == "off":
            return
        package = str(Path(__file__).resolve().parents[2])
        paths = [package, os.environ.get("PYTHONPATH", "")]
        words = ["follow", str(self.folder), "--task", task]
        self._process = subprocess.Popen(
            # -P keeps Python from importing the working directory's wandb folder as the library.
            [sys.executable, "-P", "-m", "study.wandb", *words]
            + (["--offline"] if self.mode == "offline" else []),
            # The client opens its files in the locale's encoding, which may not cover the path.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
            | {"PYTHONUTF8": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        # The training waits neither for a line nor for a pipe that is full.
        given = json.dumps(sorted(share))
        pipes = (self._hear, self._process.stdout), (self._tell, self._process.stdin, given)
        for work, *arguments in pipes:
            self._threads.append(threading.Thread(target=work, args=arguments, daemon=True))
            self._threads[-1].start()

    def _hear(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                if line.startswith("W&B: "):  # the client's lines do not
                    self.say(line.strip())

    def _tell(self, pipe: IO[str], given: str) -> None:
        with contextlib.suppress(OSError), pipe:
            pipe.write(given + "\n")
            pipe.flush()
            self._over.wait()

    def wait(self, runs: Collection[str], interrupted: Callable[[], bool]) -> None:
        """Wait a little until recorded runs have arrived, and say how many have not.

        Files are waited for longer, unless a stop is requested.
        """
        if self._process is None:
            return
        self._over.set()
        waited, began = 0.0, time.monotonic()
        limit = END_SECONDS + (FILE_SECONDS * len(runs) if self.mode == "offline" else 0)
        while self._process.poll() is None and waited < limit:
            if interrupted():
                limit = min(limit, waited + END_SECONDS)
            time.sleep(0.05)
            waited = time.monotonic() - began
        self.kill()
        if lacking := set(runs) - Ledger(self.folder).published():
            said = f"W&B: {counted(len(lacking), 'run')} did not arrive, nothing is lost"
            self.say(f"{said}; later: {push_command(self.folder)}")

    def kill(self) -> None:
        """Stop the process at once; the folder has all that it has not sent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._over.set()
            for each in self._threads:
                each.join(1.0)
