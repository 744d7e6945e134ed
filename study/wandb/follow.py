"""Sends what a study's folder holds to W&B: once, or as it grows.

A process that sends a run holds a lock of its own for it, beside the one that training takes, so
that several may send what one folder holds: whoever follows all of it, and a follower of each task
that trains. Whoever has sent a run whole notes it before letting go of the lock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from threading import Event

from study.base.errors import BadInput
from study.base.text import counted
from study.records.live import tasks_of
from study.sharing.locks import Locks
from study.wandb.carriers import Offline, Online, tell_sweep
from study.wandb.client import clean_environment
from study.wandb.ledger import Ledger, push_command
from study.wandb.source import Source

POLL_SECONDS = 2.0
AT_ONCE = 16  # runs whose records are read together
WHOLE = "0" * 12


class Sending:
    """Sends a folder's runs, each once: those of the source's task and ``runs``, or all.

    Raises `BadInput` where another process sends all.
    """

    def __init__(
        self,
        source: Source,
        carrier: Offline | Online,
        runs: Collection[str] = (),
    ) -> None:
        self.source, self.carrier, self.own = source, carrier, set(runs)
        self.locks, self.ledger = Locks(source.folder), Ledger(source.folder)
        self.sent: set[str] = set()
        self._held: set[str] = set()
        if source.task is None and not self.locks.take(_lock(WHOLE)):
            raise BadInput(str(source.folder), "a folder that nobody follows", hint="wait for it")

    def look(self) -> None:
        """Send what is new."""
        source, carrier = self.source, self.carrier
        source.look()
        self.own |= source.fresh if source.task else source.ended
        live = set(source.live) - source.ended - source.failed
        due = (live if isinstance(carrier, Online) else set()) | (source.ended & self.own)
        taken = self._take(due - self.sent - self._held)
        if isinstance(carrier, Online):
            for run in carrier.live.keys() & source.failed:
                carrier.stop(run, 1)
            new = sorted(self._held & live & (source.fresh | taken))
            tasks = [] if carrier.live.keys() >= set(new) else tasks_of(source.folder)
            for content in filter(None, (source.training(run, tasks) for run in new)):
                carrier.log(content)
        ended = sorted(self._held & source.ended - self.sent)
        for some in (ended[at : at + AT_ONCE] for at in range(0, len(ended), AT_ONCE)):
            for content in source.recorded(some):
                carrier.end(content)
            self.sent |= set(some)
            if isinstance(carrier, Online):
                carrier.confirm()
        self._let_go()

    def _take(self, runs: Collection[str]) -> set[str]:
        """Lock runs that nobody else sends, and find out which of them have arrived before."""
        taken = {run for run in runs if self.locks.take(_lock(run))}
        if not taken:
            return taken
        self._held |= taken
        self.sent |= taken & self.ledger.published()
        before = {run for run in taken - self.sent if self.ledger.online(run)}
        ended = before & self.source.ended
        if isinstance(self.carrier, Offline):
            self.sent |= before  # they go on on the server
        else:
            self.sent |= self.carrier.begun(ended, self.source.newest[0].wandb)
        self._let_go(taken & self.sent)
        return taken

    def _let_go(self, runs: Collection[str] = ()) -> None:
        done = self._held & (self.carrier.arrived | set(runs))
        self.locks.release(map(_lock, done))
        self._held -= done
        for run in done & self.source.live.keys():
            del self.source.live[run]

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
    runs: Collection[str] = (),
    share: Collection[str] = (),
) -> int:
    """Send runs until ``over`` is set, or the study is done; return how many were sent.

    With a ``task``, that task's runs alone are sent, and of further ``runs`` those recorded before
    it began; a sweep's agent gets the means over its ``share``. Raises what the client raises, and
    `BadInput` where the folder is no study's, or another process follows all of it.
    """
    sweep = clean_environment()
    source = Source(folder, task)
    if (folder / "wandb").is_symlink():
        raise BadInput(str(folder / "wandb"), "a folder", "a link")
    carrier = Offline(folder) if offline else Online(folder, say)
    sending = Sending(source, carrier, runs)
    while True:
        last = over.is_set()  # before looking, so that nothing is missed
        sending.look()
        if last or (task is None and sending.done):
            break
        over.wait(POLL_SECONDS)
    if isinstance(carrier, Online):
        carrier.close()
        if "SWEEP_ID" in sweep and share and source.ended.issuperset(share):
            tell_sweep(sweep, [each.summary for each in source.recorded(share)], folder)
    elif task is None and (left := source.ended - sending.ledger.published()):
        say(f"W&B: {counted(len(left), 'run')} began on the server: {push_command(folder)}")
    return len(carrier.arrived)
