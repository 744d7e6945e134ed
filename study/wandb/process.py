"""Starts and talks to the courier's process from the training, which never waits for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import study

# Environment variables about a single run, which a sweep's agent or another logger may have set.
ABOUT_ONE_RUN = {
    f"WANDB_{name}"
    for name in (
        *("MODE", "DISABLED", "SERVICE", "DIR", "CONSOLE", "RESUME", "PROJECT", "JOB_TYPE", "TAGS"),
        *("RUN_ID", "RUN_GROUP", "RUN_DIR", "NAME", "NOTES", "SWEEP_ID", "SWEEP_PARAM_PATH"),
    )
}


class Courier:
    """A process of `study.wandb.courier`, as the training sees it."""

    def __init__(self, mode: str, folder: Path) -> None:
        environment = {
            name: value for name, value in os.environ.items() if name not in ABOUT_ONE_RUN
        }
        # Otherwise the client contacts a server for its error reports, even offline.
        environment["WANDB_ERROR_REPORTING"] = "false"
        package = str(Path(study.__file__).resolve().parents[1])
        paths = [package, os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        # The client opens its files in the locale's encoding, which may not cover the path.
        environment["PYTHONUTF8"] = "1"
        if mode == "offline":
            environment["WANDB_MODE"] = "offline"
        self._process = subprocess.Popen(
            # -P keeps Python from importing the working directory's wandb folder as the library.
            [sys.executable, "-P", "-m", "study.wandb.courier", mode, str(folder)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._published: list[str] = []
        self._failed: str | None = None
        self._where: str | None = None
        self._heard = time.monotonic()
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                answer = json.loads(line)
            except ValueError:  # a line printed by W&B's client
                continue
            with self._lock:
                self._heard = time.monotonic()
                self._published += answer.get("published", [])
                self._failed = answer.get("failed", self._failed)
                self._where = answer.get("url", self._where)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; `news` reports a courier that has died."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return
        if message["do"] == "close":
            # The pipe stays open: its end tells the courier that this process was killed.
            with self._lock:
                self._heard = time.monotonic()

    def news(self) -> tuple[list[str], str | None, str | None]:
        """Return the newly arrived runs, the reason of a failure, and the project's URL."""
        ended = self.ended
        with self._lock:
            published, self._published = self._published, []
            failed = self._failed
            if failed is None and ended and self._process.returncode != 0:
                failed = f"its process ended with status {self._process.returncode}"
            return published, failed, self._where

    @property
    def ended(self) -> bool:
        """Whether the process has ended and its whole output has been read."""
        return self._process.poll() is not None and not self._reader.is_alive()

    def silence(self) -> float:
        """Return the seconds since the courier's last answer."""
        with self._lock:
            return time.monotonic() - self._heard

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
