"""Trains a study's runs in one process: brings together stacks, records, locks and W&B."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from study.base.files import file_time
from study.base.interrupt import Interrupt
from study.data.prepare import DataCache
from study.records.checkpoints import CheckpointWriter, Saved
from study.records.environment import agreed_routes
from study.records.measured import resolved
from study.records.recorder import Again, Recorded, Recorder
from study.records.writing import Folder
from study.runs.events import LiveStack, Observer
from study.runs.packing import StackPlan, plan
from study.runs.progress import Progress
from study.runs.run import Run
from study.runs.study import Study
from study.sharing.locks import Locks
from study.sharing.queue import Queue
from study.sharing.tasks import INTERRUPTED, Task
from study.training.engine import chosen_routes
from study.training.loop import in_memory, train_stack
from study.training.plain_loop import train_plain
from study.wandb.observer import WandbObserver


class StopOnSignal(Observer):
    """Ends the training after the epoch in which a signal came."""

    def __init__(self, interrupt: Interrupt) -> None:
        self.interrupt = interrupt

    def stack_began(self, stack: LiveStack) -> None:
        """Install our signal handlers again; Lightning's SIGTERM handler would exit unsaved."""
        self.interrupt.arm()

    def epoch_ended(self, stack: LiveStack) -> None:
        """Stop once a signal has come."""
        if self.interrupt.requested:
            stack.stop()


class StopWithoutFolder(Observer):
    """Ends the training when the study's folder is gone, before anything is written there."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def epoch_ended(self, stack: LiveStack) -> None:
        """Check that the folder still exists."""
        self.folder.check_there()


class Session:
    """Trains runs of a study in this process, while other tasks may train others.

    Parameters
    ----------
    study
        The study.
    folder
        The study's folder.
    cache
        The data of the runs.
    task
        This process.
    wandb
        The observer that sends runs to W&B.
    observers
        Further observers.
    say
        Shows a line.

    Attributes
    ----------
    failed : dict
        The errors of failed runs, by id.
    """

    def __init__(
        self,
        study: Study,
        folder: Folder,
        cache: DataCache,
        task: Task,
        wandb: WandbObserver,
        observers: Sequence[Observer],
        say: Callable[[str], None],
    ) -> None:
        self.study, self.folder, self.cache = study, folder, cache
        self.observers, self.say = observers, say
        self.task, self.locks, self.wandb = task, Locks(folder.path, task), wandb
        self.failed: dict[str, str] = {}
        self.measures = resolved(study.measures)
        self.interrupt = Interrupt(say)
        stopped = lambda: self.interrupt.requested  # noqa: E731  # shorter than a method
        self.queue = Queue(self.locks, self._done, self._is_recorded, stopped, say)

    def train(self, plans: Sequence[StackPlan], recorded: Iterable[str] = ()) -> bool:
        """Train every planned run that no other task trains, and wait for runs of other tasks.

        Parameters
        ----------
        plans
            The stacks to train.
        recorded
            Ids of recorded runs that W&B may lack; they are sent.

        Returns
        -------
        bool
            True when all runs ended or failed; false when interrupted, with checkpoints saved.
        """
        planned = [run for each in plans for run in each.runs]
        with self.interrupt, self.task:
            try:
                self.wandb.catch_up(self.locks, recorded)
                stopped = False
                while plans and not stopped:
                    stopped = not all(map(self._train_plan, plans))
                    left = [run for run in planned if run.id not in self.failed]
                    plans = [] if stopped else plan(self.study, self.queue.free(left))
                if not stopped and not self.interrupt.requested:
                    self.wandb.tell_sweep()
                self.wandb.close(lambda: self.interrupt.requested)
            finally:
                self.wandb.kill()
            self.folder.check_there()
            ended = self._done() | self.failed.keys()
            if all(run.id in ended for run in planned):
                return True
            self.task.state = INTERRUPTED
            return False

    def _train_plan(self, planned: StackPlan) -> bool:
        """Train a stack's runs that no other task trains; return whether nothing stopped it."""
        trained = in_memory(lambda size: self._train(planned.runs, size), planned.size, self.say)
        return trained and not self.interrupt.requested

    def _train(self, runs: Sequence[Run], size: int) -> bool:
        """Train the free runs, ``size`` at once; return whether all of these ended."""
        saved = Saved(self.folder.path, self.say)
        writer = CheckpointWriter(self.folder.path, self.task.name, saved)
        self.wandb.recorded = self._again = again = self._recorded_before(runs)
        recorder = Recorder(self.study, self.folder, writer, again, self._recorded)
        watching = [*self.observers, StopWithoutFolder(self.folder), StopOnSignal(self.interrupt)]
        observers = [*watching, recorder, self.wandb, self.task]
        progress = self._taken_up(runs, saved)
        measures, keep = self.study.measures, self.study.keep_predictions
        if self.study.engine == "plain":
            ended = train_plain(progress, self.cache, observers, measures, keep_predictions=keep)
        else:
            stack = (progress, size, self.cache, self._routes, observers, measures)
            ended = train_stack(*stack, keep_predictions=keep)
        self.folder.merge()
        if ended:
            writer.close()
            saved.discard(dict.fromkeys(self.folder.ended(), math.inf))
        return ended

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

    def _taken_up(self, runs: Sequence[Run], saved: Saved) -> Iterator[Progress]:
        """Lock one run after another, and yield its progress from its last checkpoint."""
        for run, before in self.queue.take(runs):
            yield saved.slot(run, [self.task.name, *before])

    def _routes(self, run: Run) -> Mapping[str, str]:
        """Return how to compute a run's products: as configured, as agreed before, or fastest."""
        if self.study.products != "auto":
            return chosen_routes(run, self.study.products)
        shapes = chosen_routes(run, "blas").keys()
        return agreed_routes(self.folder.path, shapes, lambda: chosen_routes(run))

    def _recorded(self, done: Sequence[Recorded]) -> None:
        """Release recorded runs' locks; with W&B, send the runs, whose locks are released later."""
        failed = {each.progress.run.id: str(each.progress.error) for each in done if each.failed}
        self.failed |= failed
        self.locks.release(failed)
        measured = [each.progress.run.id for each in done if each.progress.run.id in self._again]
        self.locks.release(measured)
        done = [e for e in done if not e.failed and e.progress.run.id not in measured]
        if self.wandb.mode == "off":
            self.locks.release(each.progress.run.id for each in done)
        for each in done:
            self.wandb.end(each.progress, each.row, each.predictions)

    def _is_recorded(self, run: Run) -> bool:
        """Tell whether another task recorded a run before it released the lock taken here."""
        # Weights are written before the record, and looking for them is cheaper than reading parts.
        if self.study.keep_weights and not self.folder.weights(run.id).exists():
            return False
        # A file server's client may cache an old listing until this machine changes the folder.
        with contextlib.suppress(FileNotFoundError):
            file_time(self.folder.path / "runs")
        return run.id in self._done()
