"""Sends what a study's folder holds to W&B: once, or as it grows.

A process that sends a run holds a lock of its own for it, beside the one that training takes, so
that several may send what one folder holds: whoever follows all of it, and a follower of each task
that trains. Whoever has sent a run whole notes it before letting go of the lock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from threading import Event

from study.base.errors import BadInput
from study.sharing.locks import Locks
from study.wandb.carriers import Offline, Online, tell_sweep
from study.wandb.client import clean_environment
from study.wandb.content import Content
from study.wandb.ledger import Ledger
from study.wandb.source import Source

POLL_SECONDS = 1.0
AT_ONCE = 16  # runs whose records are read together
WHOLE = "0" * 12


class Sending:
    """Sends a folder's runs, each once.

    Parameters
    ----------
    source
        The folder.
    carrier
        Where to.
    task
        Sends only the runs of this task; None sends all.
    runs
        Further runs that are the task's to send: those that were recorded before it began.

    Raises
    ------
    BadInput
        Another process sends all runs.
    """

    def __init__(
        self,
        source: Source,
        carrier: Offline | Online,
        task: str | None = None,
        runs: Collection[str] = (),
    ) -> None:
        self.source, self.carrier, self.task, self.given = source, carrier, task, set(runs)
        self.locks, self.ledger = Locks(source.folder), Ledger(source.folder)
        self.sent: set[str] = set()
        self._held: set[str] = set()
        if task is None and not self.locks.take(_lock(WHOLE)):
            raise BadInput(str(source.folder), "a folder that nobody follows", hint="wait for it")

    def look(self) -> None:
        """Send what is new."""
        source, carrier = self.source, self.carrier
        source.look()
        live = set(source.live) - source.ended - source.failed
        mine = (live if isinstance(carrier, Online) else set()) | source.ended
        if self.task is not None:
            mine &= self.given | source.tasks[self.task]
        self._take(mine - self.sent - self._held)
        if isinstance(carrier, Online):
            for run in sorted(self._held & live):
                if content := source.training(run):
                    carrier.log(content)
            for run in carrier.live.keys() & source.failed:
                carrier.stop(run, 1)
        ended = sorted(self._held & source.ended - self.sent)
        for some in (ended[at : at + AT_ONCE] for at in range(0, len(ended), AT_ONCE)):
            for content in source.recorded(some):
                carrier.end(content)
            self.sent |= set(some)
        if isinstance(carrier, Online):
            carrier.confirm()
        self._let_go()

    def _take(self, runs: Collection[str]) -> None:
        """Lock runs that nobody else sends, and find out which of them have arrived before."""
        taken = {run for run in runs if self.locks.take(_lock(run))}
        if not taken:
            return
        self._held |= taken
        self.sent |= taken & self.ledger.published()
        before = {run for run in taken - self.sent if self.ledger.online(run)}
        ended = before & self.source.ended
        if isinstance(self.carrier, Offline):
            self.sent |= before  # they go on on the server
        elif ended and (one := next(iter(self.source.recorded(list(ended)[:1])), None)):
            self.sent |= self.carrier.begun(ended, one.settings)
        self._let_go(taken & self.sent)

    def _let_go(self, runs: Collection[str] = ()) -> None:
        done = self._held & (self.carrier.arrived | set(runs))
        self.locks.release(map(_lock, done))
        self._held -= done

    @property
    def done(self) -> bool:
        """Whether all runs of the study have ended and been sent."""
        ended = self.source.ended | self.source.failed
        return self.source.wanted() <= ended and self.source.ended <= self.sent


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
    """Send runs until ``over``, and until the study is done where all of them are sent.

    Parameters
    ----------
    folder
        The study's folder.
    say
        Shows a line.
    over
        Set once nothing new will come.
    offline
        Write files instead.
    task, runs
        See `Sending`.
    share
        The runs of which a sweep's agent waits for the mean.

    Returns
    -------
    int
        How many runs were sent or found there.

    Raises
    ------
    BadInput
        No study's folder, or one that another process follows.
    Exception
        Anything that the client raises.
    """
    sweep = clean_environment()
    source = Source(folder)
    carrier = Offline(folder) if offline else Online(folder, say)
    sending = Sending(source, carrier, task, runs)
    while True:
        last = over.is_set()  # before looking, so that nothing is missed
        sending.look()
        if last or (task is None and sending.done):
            break
        over.wait(POLL_SECONDS)
    if isinstance(carrier, Online):
        carrier.close()
        if "SWEEP_ID" in sweep and share and source.ended.issuperset(share):
            tell_sweep(sweep, means(list(source.recorded(share))), folder)
    return len(sending.sent)


def means(contents: Collection[Content]) -> Mapping[str, float]:
    """Return the means over runs of all that their summaries have as numbers with a point."""
    summaries = [content.summary for content in contents]
    names = [name for name, value in summaries[0].items() if isinstance(value, float)]
    return {name: sum(each[name] for each in summaries) / len(summaries) for name in names}
