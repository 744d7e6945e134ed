"""Sends each run of a study to W&B while it trains and once it is recorded."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from study.records.environment import environment
from study.runs.events import LiveStack, Observer
from study.runs.progress import Progress
from study.runs.study import Study
from study.sharing.locks import Locks
from study.wandb.content import Content, ended, recorded_content, training_content
from study.wandb.ledger import Ledger, sync_command
from study.wandb.process import Courier

SILENCE_SECONDS = 9.0  # without news of any run at the end, and a server is given up
OFFLINE_SECONDS = 60.0  # the same, for files
PATIENCE_SECONDS = 3.0  # after which it is said what is waited for
INTERRUPTED_SECONDS = 15.0  # for all that is left, once a stop is asked for
OF_A_SWEEP = ("SWEEP_ID", "SWEEP_PARAM_PATH", "RUN_ID", "PROJECT")


class WandbObserver(Observer):
    """Sends the runs of a study to W&B, each as a run of its own.

    Parameters
    ----------
    study
        The study.
    study_yaml
        Its config.
    folder
        Its folder.
    say
        Shows a line.
    """

    def __init__(
        self, study: Study, study_yaml: str, folder: Path, say: Callable[[str], None]
    ) -> None:
        self.study, self.study_yaml, self.folder, self._say = study, study_yaml, folder, say
        self.mode = study.wandb.mode
        self.ledger = Ledger(folder)
        self._courier: Courier | None = None
        self._environment: Mapping[str, Any] = {}
        self._sent: dict[str, int] = {}
        self._unconfirmed: dict[str, Content] = {}
        self._said_where = False
        self._outcomes: list[dict[str, Any]] = []
        self._confirmed: Callable[[Iterable[str]], None] = lambda runs: None

    @property
    def group(self) -> str:
        """What groups the study's runs in W&B."""
        return self.study.wandb.group or self.study.name

    def stack_began(self, stack: LiveStack) -> None:
        """Learn where the stack is trained."""
        if self.mode != "off":
            self._environment = environment(stack.machine())

    def epoch_ended(self, stack: LiveStack) -> None:
        """Send every training run's new epochs."""
        if self.mode == "online":
            for progress in stack.training:
                self._log(stack, progress)
        self._hear()

    def _log(self, stack: LiveStack, progress: Progress) -> None:
        run, history = progress.run.id, progress.history
        sent = self._sent.get(run)
        if sent is None:
            self._send("open", content=self._content(progress, stack.hashes(progress))._asdict())
        elif history[sent:]:
            self._send("log", run=run, rows=history[sent:])
        self._sent[run] = len(history)

    def _content(self, progress: Progress, hashes: tuple[str, str]) -> Content:
        return training_content(self.study, progress, self.study_yaml, hashes, self._environment)

    def end(
        self, progress: Progress, row: Mapping[str, Any], predictions: Sequence[Mapping[str, Any]]
    ) -> None:
        """Send a run that has ended and is recorded."""
        if self.mode != "off":
            hashes = (row["data_hash"], row["labels_hash"])
            content = ended(self._content(progress, hashes), row, predictions)
            self._outcomes.append(content.summary)
            self._end(content)

    def catch_up(self, locks: Locks, runs: Iterable[str]) -> None:
        """Send runs that were recorded, but not sent, unless another task is at it."""
        self._confirmed = locks.release
        missing = set(runs) - self.ledger.published() if self.mode != "off" else set()
        free = {run for run in missing if locks.take(run)}
        # Another task may have sent one before it let go of the lock that was taken here.
        sent = free & self.ledger.published()
        locks.release(sent)
        free -= sent
        if free:  # otherwise the whole study would be read for nothing
            for content in recorded_content(self.study, self.study_yaml, self.folder, free):
                self._end(content)

    def _end(self, content: Content) -> None:
        self._unconfirmed[content.run] = content
        self._send("end", content=content._asdict())
        self._hear()

    def _send(self, do: str, **message: Any) -> None:
        if self._courier is None:
            self._courier = Courier(self.mode, self.folder)
        self._courier.send({"do": do, **message})

    def _hear(self) -> None:
        """Take the courier's news in; when a server fails, go on offline."""
        if self._courier is None:
            return
        published, failed, where = self._courier.news()
        if where and not self._said_where:
            self._say(f"W&B: {where}, group {self.group}")
            self._said_where = True
        for run in published:
            self._unconfirmed.pop(run, None)
        self._confirmed(published)
        if failed is not None:
            self._fail(failed)

    def _fail(self, reason: str) -> None:
        assert self._courier is not None
        self._courier.kill()
        self._courier = None
        if self.mode == "offline":
            self._say(f"W&B: {reason}; the next start writes what is missing from the records")
            self.mode = "off"
            return
        self.mode = "offline"
        self._say(
            f"W&B: {reason}; going on offline, nothing is lost; later: {sync_command(self.folder)}"
        )
        for content in self._unconfirmed.values():
            self._send("end", content=content._asdict())

    def tell_sweep(self) -> None:
        """Send the means over all runs as the one run that a sweep's agent waits for."""
        names = {f"WANDB_{name}": name for name in OF_A_SWEEP}
        sweep = {names[key]: value for key, value in os.environ.items() if key in names}
        if "SWEEP_ID" in sweep and self.mode == "online" and self._outcomes:
            numbers = [
                name for name, value in self._outcomes[0].items() if isinstance(value, float)
            ]
            means = {
                name: sum(each[name] for each in self._outcomes) / len(self._outcomes)
                for name in numbers
            }
            self._send("sweep", sweep=sweep, summary=means)

    def close(self, interrupted: Callable[[], bool]) -> None:
        """Wait until all has arrived, or nothing moves any more, then go on offline.

        Parameters
        ----------
        interrupted
            Whether a stop is asked for: then there is little time.
        """
        began, patience = time.monotonic(), PATIENCE_SECONDS
        until = math.inf
        while self._courier is not None:
            self._courier.send({"do": "close"})
            mode, courier = self.mode, self._courier
            silence = SILENCE_SECONDS if mode == "online" else OFFLINE_SECONDS
            while self._courier is courier and not courier.ended:
                waited = time.monotonic() - began
                if waited > patience and self._unconfirmed:
                    self._say(f"W&B: waiting for {len(self._unconfirmed)} runs to arrive")
                    patience = math.inf
                if interrupted():
                    until = min(until, waited + INTERRUPTED_SECONDS)
                if waited > until:
                    self._say("W&B: what has not arrived will at the next start")
                    self.kill()
                elif courier.silence() > silence:
                    self._fail(f"no answer for {silence:.0f} s")
                else:
                    time.sleep(0.02)
                    self._hear()
            self._hear()
            if self._courier is courier:
                courier.kill()
                self._courier = None
        self._confirmed(list(self._unconfirmed))

    def kill(self) -> None:
        """Stop at once: what has not arrived will at the next start."""
        if self._courier is not None:
            self._courier.kill()
            self._courier = None
