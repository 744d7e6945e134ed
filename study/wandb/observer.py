"""Sends each run of a study to W&B while it trains and once it is recorded."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.records.environment import environment
from study.runs.events import LiveStack, Observer
from study.runs.progress import Progress
from study.runs.study import Study
from study.sharing.locks import Locks
from study.wandb.content import Content, ended, recorded_content, training_content
from study.wandb.ledger import Ledger, sync_command
from study.wandb.process import Courier

if TYPE_CHECKING:
    import pyarrow as pa

SILENCE_SECONDS = 9.0  # after so long without news, a server is given up at the end
OFFLINE_SECONDS = 60.0  # the same, for files
PATIENCE_SECONDS = 3.0  # after so long, a line says that runs are still being sent
INTERRUPTED_SECONDS = 15.0  # the most time to finish sending once a stop is requested
OF_A_SWEEP = ("SWEEP_ID", "SWEEP_PARAM_PATH", "RUN_ID", "PROJECT")


class WandbObserver(Observer):
    """Sends the runs of a study to W&B, each as a run of its own.

    Parameters
    ----------
    study
        The study.
    study_yaml
        The study's config.
    folder
        The study's folder.
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
        self.recorded: Collection[str] = ()  # runs that were sent when they first ended
        self._confirmed: Callable[[Iterable[str]], None] = lambda runs: None

    @property
    def group(self) -> str:
        """The W&B group of the study's runs."""
        return self.study.wandb.group or self.study.name

    def stack_began(self, stack: LiveStack) -> None:
        """Note the environment in which the stack is trained."""
        if self.mode != "off":
            self._environment = environment(stack.machine())

    def epoch_ended(self, stack: LiveStack) -> None:
        """Send every training run's new epochs."""
        if self.mode == "online":
            for progress in stack.training:
                if progress.run.id not in self.recorded:
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

    def end(self, progress: Progress, row: Mapping[str, Any], predictions: pa.Table | None) -> None:
        """Send a run that has ended and is recorded."""
        if self.mode != "off":
            hashes = (row["data_hash"], row["labels_hash"])
            content = ended(self._content(progress, hashes), row, predictions)
            self._outcomes.append(content.summary)
            self._end(content)

    def catch_up(self, locks: Locks, runs: Iterable[str]) -> None:
        """Send runs that are recorded but not sent, unless another task has locked them."""
        self._confirmed = locks.release
        missing = set(runs) - self.ledger.published() if self.mode != "off" else set()
        free = {run for run in missing if locks.take(run)}
        # Another task may have sent a run before it released the lock taken here.
        sent = free & self.ledger.published()
        locks.release(sent)
        free -= sent
        if free:  # otherwise the whole study would be read in vain
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
        """Process the courier's answers; when the server fails, go on offline."""
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
            self._say(f"W&B: {reason}; the next start writes the missing runs from the records")
            self.mode = "off"
            return
        self.mode = "offline"
        self._say(
            f"W&B: {reason}; going on offline, nothing is lost; later: {sync_command(self.folder)}"
        )
        for content in self._unconfirmed.values():
            self._send("end", content=content._asdict())

    def tell_sweep(self) -> None:
        """Send the means over all runs as the run that a sweep's agent waits for."""
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
        """Wait until all runs have arrived; write them offline when the server stops answering.

        Parameters
        ----------
        interrupted
            Returns whether a stop was requested, which limits the wait to `INTERRUPTED_SECONDS`.
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
                    self._say("W&B: the next start sends the runs that have not arrived")
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
        """Stop the courier at once; the next start sends the runs that have not arrived."""
        if self._courier is not None:
            self._courier.kill()
            self._courier = None
