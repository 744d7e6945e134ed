"""Sends what a study's folder holds to W&B: once, or as it grows.

A process that sends a run holds a lock of its own for it, beside the one that training takes, so
that several may send what one folder holds: whoever follows all of it, and a follower of each task
that trains. Whoever has sent a run whole notes it before letting go of the lock.
"""

from __future__ import annotations

import itertools
import shlex
import shutil
import time
from collections.abc import Callable, Collection
from pathlib import Path
from threading import Event

from study.base.errors import BadInput
from study.base.files import make_room, stale
from study.base.text import counted
from study.records.live import tasks_of
from study.sharing.locks import Locks
from study.wandb.client import clean_environment
from study.wandb.ledger import ONLINE, PARTIAL, Ledger, push_command
from study.wandb.server import Server, tell_sweep
from study.wandb.source import Source
from study.wandb.writing import write_files

POLL_SECONDS = 2.0
CONFIRM_SECONDS, STOP_SECONDS = 6.0, 10.0
AT_ONCE = 16  # runs whose records are read together
WHOLE = "0" * 12


class Sending:
    """Sends a folder's runs, each once: those of the source's task and those ``before``, or all.

    Without a ``server`` they are written as files. ``held`` has the runs that are locked here,
    ``sent`` those that need nothing more, and ``number`` says how many it has sent. Runs both held
    and sent have not been seen on the server yet.
    Raises `BadInput` where another process sends all.
    """

    def __init__(
        self, source: Source, server: Server | None = None, before: Collection[str] = ()
    ) -> None:
        self.source, self.server, self.before = source, server, set(before)
        self.locks, self.ledger = Locks(source.folder), Ledger(source.folder)
        self.held: set[str] = set()
        self.sent: set[str] = set()
        self.number = 0
        if source.task is None and not self.locks.take(_lock(WHOLE)):
            raise BadInput(str(source.folder), "a folder that nobody follows", hint="wait for it")

    def look(self) -> None:
        """Send what is new."""
        source = self.source
        source.look()
        live = source.live.keys() - source.ended - source.failed if self.server else set()
        own = self.before | source.live.keys() if source.task else source.ended
        taken = self._take((live | (source.ended & own)) - self.sent - self.held)
        if self.server:
            self._send_live(self.server, self.held & live & (source.fresh | taken))
        ended = sorted((self.held & source.ended) - self.sent)
        for some in (ended[at : at + AT_ONCE] for at in range(0, len(ended), AT_ONCE)):
            read = set()
            for content in source.recorded(some):
                if self.server:
                    self.server.end(content)
                else:
                    write_files(content, source.folder)
                read.add(content.run)
            self._let_go(set(some) - read)  # of a record that cannot be read nothing is sent
            self.sent |= read
            self._confirm()

    def _take(self, runs: Collection[str]) -> set[str]:
        """Lock the runs that nobody else sends, and return those that have not arrived before."""
        taken = {run for run in runs if self.locks.take(_lock(run))}
        if not taken:
            return taken
        there = taken & self.ledger.published()
        begun = {run for run in taken - there if self.ledger.online(run)}
        # Those begun there are not written as files: they go on on the server.
        there |= self._finished(begun & self.source.ended)
        self.held |= taken
        self._let_go(there)
        return taken - there

    def _send_live(self, server: Server, runs: Collection[str]) -> None:
        """Send the epochs of runs that train, and leave those that failed as stopped."""
        for run in server.open.keys() & self.source.failed:
            server.stop(run, 1)
        # Only the start of a run asks where it trains.
        tasks = tasks_of(self.source.folder) if set(runs) - server.open.keys() else []
        for run in sorted(runs):
            if content := self.source.training(run, tasks):
                server.log(content)

    def _finished(self, runs: Collection[str]) -> set[str]:
        """Return those of the runs begun in W&B that it has whole, as it has all files."""
        if not self.server:
            return set(runs)
        found, where = set[str](), self.source.project
        for project, some in itertools.groupby(sorted(runs, key=where), where):
            found |= self.server.finished(set(some), project)
        return found

    def _confirm(self) -> set[str]:
        """Let go of runs that have arrived; return those sent that have not."""
        arrived = self._finished(self.held & self.sent)
        self.number += len(arrived)
        self._let_go(arrived)
        return self.held & self.sent

    def _let_go(self, runs: Collection[str]) -> None:
        self.locks.release(map(_lock, runs))
        self.sent |= set(runs)
        self.held -= set(runs)
        for run in self.source.live.keys() & runs:
            del self.source.live[run]

    def close(self) -> None:
        """Wait a little for the server to have what was sent; leave unfinished runs as stopped.

        Raises
        ------
        RuntimeError
            The server lacks runs, though it was asked at least twice.
        """
        until = time.monotonic() + CONFIRM_SECONDS
        for look in itertools.count():
            if not (lacking := self._confirm()):
                break
            if look and time.monotonic() > until:
                raise RuntimeError(f"{len(lacking)} runs did not arrive whole")
            time.sleep(1.0)
        until = time.monotonic() + STOP_SECONDS
        while self.server and self.server.open and time.monotonic() < until:
            # The server marks further ones crashed; they resume, too.
            self.server.stop(next(iter(self.server.open)), 130)

    @property
    def done(self) -> bool:
        """Whether all runs of the study have ended and been sent."""
        ended = self.source.ended | self.source.failed
        return self.source.wanted <= ended and self.source.ended <= self.sent


def _lock(run: str) -> str:
    """Return the name of the lock for sending a run, another byte than the one for training it."""
    return f"{run[:2]}1{run[2:]}"


def send(
    folder: Path,
    say: Callable[[str], None],
    over: Event,
    *,
    offline: bool = False,
    task: str | None = None,
    share: Collection[str] = (),
) -> int:
    """Send runs until ``over`` is set, or the study is done; return how many were sent.

    With a ``task``, that task's runs alone are sent, and those of its ``share`` that were recorded
    before; a sweep's agent gets the means over its share. Raises what the client raises, and
    `BadInput` where the folder is no study's, or another process follows all of it.
    """
    sweep = clean_environment()
    source = Source(folder, task)
    make_room(folder / "wandb")
    for partial in stale(folder / "wandb", f"{PARTIAL}*"):
        shutil.rmtree(partial, ignore_errors=True)
    source.look()
    server = None if offline else Server(folder, say)
    sending = Sending(source, server, source.ended.intersection(share))
    while True:
        last = over.is_set()  # before looking, so that nothing is missed
        sending.look()
        if last or (task is None and sending.done):
            break
        over.wait(POLL_SECONDS)
    sending.close()
    if "SWEEP_ID" in sweep and server and share and source.ended.issuperset(share):
        tell_sweep(sweep, [each.summary for each in source.recorded(share)], folder)
    left = {run for run in source.ended - sending.ledger.published() if sending.ledger.online(run)}
    if offline and task is None and left:
        again, gone = push_command(folder), shlex.quote(str(folder / "wandb" / ONLINE))
        say(
            f"W&B: {counted(len(left), 'run')} began on the server: {again}; if it is gone for "
            f"good, rm -r {gone} forgets it"
        )
    return sending.number
