"""One process that trains runs of a study: stacks, records, locks and W&B brought together."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from rich.console import Console

from study.base.files import file_time
from study.base.interrupt import Interrupt
from study.base.text import counted
from study.data.prepare import DataCache
from study.fitting.before import Work
from study.records.checkpoints import Checkpoints
from study.records.environment import agreed_routes
from study.records.live import INTERRUPTED, LiveFile, tasks_of
from study.records.measured import resolved
from study.records.recorder import Again, Recorded, Recorder
from study.records.writing import Folder
from study.runs.events import LiveStack, Observer
from study.runs.packing import StackPlan, plan
from study.runs.run import Run
from study.sharing.locks import Locks
from study.sharing.queue import Queue
from study.terminal.display import Display
from study.training.engine import chosen_routes
from study.training.loop import in_memory, train_stack
from study.training.plain_loop import train_plain
from study.wandb.process import Follower

POLL_SECONDS = 1.0


class Guard(Observer):
    """Ends the training on a signal, or when the study's folder has gone."""

    def __init__(self, interrupt: Interrupt, folder: Folder, say: Callable[[str], None]) -> None:
        self.interrupt, self.folder, self.say = interrupt, folder, say

    def stack_began(self, stack: LiveStack) -> None:
        """Take SIGTERM back from Lightning; say from which epoch runs that were begun go on."""
        self.interrupt.arm()
        epochs = [each.resumed_at for each in stack.taken_up if each.resumed_at]
        if epochs:
            first, last = min(epochs), max(epochs)
            at = f"epoch {first}" if first == last else f"epochs {first} to {last}"
            self.say(f"going on with {counted(len(epochs), 'run')} from {at}")

    def epoch_ended(self, stack: LiveStack) -> None:
        """Look whether the folder is still there, before anything is written; stop on a signal."""
        self.folder.check_there()
        if self.interrupt.requested:
            stack.stop()


class Ending(NamedTuple):
    """How a session ended.

    Attributes
    ----------
    interrupted
        Whether it was stopped before; then the states of its runs are saved.
    failed
        The errors of runs that failed, by id.
    left
        How many runs have not ended: other tasks train them, or will.
    """

    interrupted: bool
    failed: Mapping[str, str]
    left: int


class Session:
    """Trains runs of a study in this process, beside other tasks that do the same.

    Parameters
    ----------
    work
        What is to be trained.
    cache
        The data of its runs.
    wandb
        Sends its runs to W&B.
    observers
        Further observers of the training.
    say
        Shows a line.
    """

    def __init__(
        self,
        work: Work,
        cache: DataCache,
        wandb: Follower,
        observers: Sequence[Observer],
        say: Callable[[str], None],
    ) -> None:
        self.work, self.cache, self.wandb = work, cache, wandb
        self.observers, self.say = observers, say
        self.study, self.folder, shard = work.request.study, work.folder, work.request.shard
        self.live, self.locks = LiveFile(work.folder.path, str(shard)), Locks(work.folder.path)
        self.folder.writer = self.live.name
        self.queue = Queue(work.pending, self.locks, self._through)
        self._share = {run.id for run in work.share}
        self.tasks = 1 if shard.exact else shard.of
        self.failed: dict[str, str] = {}
        self.recorded = set(work.unsent)
        self.measures = resolved(self.study.measures)
        self.interrupt = Interrupt(say)

    def train(self) -> Ending:
        """Train the runs of this task's share that are free, and then what other tasks leave."""
        plans, wait = self.work.plans, self.work.request.wait
        self.locks.take(self.live.name)
        with self.interrupt, self.live, contextlib.closing(self.locks):
            try:
                self.wandb.begin(self.live.name, self._share)
                while plans := plans or plan(self.study, self._more(wait=wait)):
                    for each in plans:
                        self._train_plan(each)
                    plans = []
                self.wandb.wait(self.recorded, self._stopped)
            finally:
                self.wandb.kill()
            self.folder.check_there()
            left = self.queue.left(self.failed)
            interrupted = self._stopped() and bool(left)
            if interrupted:
                self.live.state = INTERRUPTED
            return Ending(interrupted, self.failed, len(left))

    def _through(self) -> set[str]:
        """Return the runs that are through: a run that failed elsewhere is not tried again here."""
        return self._done() | (self.folder.failed() - self._share)

    def _stopped(self) -> bool:
        return self.interrupt.requested

    def _more(self, *, wait: bool) -> Sequence[Run]:
        """Return some runs that are left and free; with ``wait``, once there are any."""
        said = False
        while not self._stopped() and (left := self.queue.left(self.failed)):
            others = [task for task in tasks_of(self.folder.path) if task["task"] != self.live.name]
            alive = [task for task in others if self.locks.held(task["task"])]
            shown = {run for task in others for run in task["runs"]}
            free = self.queue.some(left, shown, max(self.tasks, 1 + len(alive)))
            if free or not wait:
                return free
            if not said:
                self.say(f"waiting for {counted(len(left), 'run')} that other tasks train")
                said = True
            time.sleep(POLL_SECONDS)
        return []

    def _train_plan(self, planned: StackPlan) -> None:
        """Train the free runs of one program."""
        if not self._stopped():
            in_memory(lambda size: self._train(planned.runs, size), planned.size, self.say)

    def _train(self, runs: Sequence[Run], size: int) -> None:
        """Train the free runs, ``size`` at once."""
        checkpoints = Checkpoints(self.folder.path, self.say, self.study.engine)
        self._again = again = self._recorded_before(runs)
        recorder = Recorder(self.study, self.folder, checkpoints, again, self._recorded)
        guard = Guard(self.interrupt, self.folder, self.say)
        observers = [*self.observers, guard, recorder, self.live]
        progress = map(checkpoints.take_up, self.queue.take(runs, self._is_recorded))
        measures, keep = self.study.measures, self.study.keep_predictions
        if self.study.engine == "plain":
            train_plain(progress, self.cache, observers, measures, keep_predictions=keep)
        else:
            stack = (progress, size, self.cache, self._routes, observers, measures)
            train_stack(*stack, keep_predictions=keep)
        self.folder.merge()

    def _done(self) -> set[str]:
        return self.folder.done(self.measures)

    def _recorded_before(self, runs: Sequence[Run]) -> dict[str, Again]:
        """Return what is recorded of those runs that lack a measure, by their ids."""
        lacking = self.folder.unmeasured(self.measures)
        if not lacking.keys().isdisjoint(run.id for run in runs):
            hashes = self.folder.weights_hashes()
            columns = {name: tuple(each.columns) for name, each in self.measures.items()}
            return {
                run: Again(hashes[run], sum((columns[name] for name in sorted(names)), ()))
                for run, names in lacking.items()
            }
        return {}

    def _routes(self, run: Run) -> Mapping[str, str]:
        """Return how a run's products are computed: as asked, as before, or the fastest way."""
        if self.study.products != "auto":
            return chosen_routes(run, self.study.products)
        shapes = chosen_routes(run, "blas").keys()
        return agreed_routes(self.folder.path, shapes, lambda: chosen_routes(run))

    def _recorded(self, done: Sequence[Recorded]) -> None:
        """Let go of runs that are recorded."""
        self.failed |= {e.progress.run.id: str(e.progress.error) for e in done if e.failed}
        ids = {each.progress.run.id for each in done}
        self.recorded |= ids - self.failed.keys() - self._again.keys()
        self.locks.release(ids)

    def _is_recorded(self, run: Run) -> bool:
        """Tell whether another task has recorded a run, and had let go of its lock then."""
        # Weights come before the record. A thousand tasks cannot read all new parts at each run.
        if self.study.keep_weights and not self.folder.weights(run.id).exists():
            return False
        # A file server's client may have an old list of a folder, until it changes something there.
        with contextlib.suppress(FileNotFoundError):
            file_time(self.folder.path / "runs")
        return run.id in self._done()


def train(work: Work, cache: DataCache, console: Console) -> Ending:
    """Train what a request leaves to do, shown on a console."""
    study, out = work.request.study, work.folder.path
    say = functools.partial(console.print, soft_wrap=True)
    wandb = Follower(study, out, say)
    with Display(study, [run for each in work.plans for run in each.runs], console) as display:
        return Session(work, cache, wandb, [display], say).train()
