"""Train the runs of a study that have no row yet, stack by stack, and record each as it ends."""

from __future__ import annotations

import contextlib
import gc
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch

from study.base.files import file_time
from study.base.interrupt import Interrupt, StoppedAtOnce
from study.data.prepare import DataCache
from study.records.checkpoints import CheckpointWriter, Saved
from study.records.environment import agreed_routes
from study.records.recorder import Recorder, weights_of
from study.records.writing import Folder
from study.runs.packing import StackPlan, plan
from study.runs.progress import Progress
from study.runs.run import Run
from study.runs.study import Study
from study.sharing.locks import Claims
from study.sharing.tasks import INTERRUPTED, Task
from study.training.datamodule import StudyData
from study.training.engine import chosen_routes
from study.training.stack import Stack
from study.training.stack_module import StudyModule
from study.training.trainer import make_trainer
from study.wandb.logger import WandbLogger

POLL_SECONDS = 1.0


def routes_for(study: Study, folder: Folder, run: Run, device: torch.device) -> dict[str, str]:
    """Return how a run's products are to be computed: as asked, as before, or the fastest way."""
    if device.type != "cpu":
        return {}
    if study.products != "auto":
        return chosen_routes(run, study.products)
    return agreed_routes(folder.path, run)


class Training:
    """Trains runs of a study in this process, beside other tasks that do the same.

    Parameters
    ----------
    study
        The study.
    folder
        Where it leaves its records.
    cache
        The data of its runs.
    task
        This process.
    wandb
        Where its runs go beside the records.
    watchers
        Lightning callbacks that look on.
    say
        Shows a line.
    """

    def __init__(
        self,
        study: Study,
        folder: Folder,
        cache: DataCache,
        task: Task,
        wandb: WandbLogger,
        watchers: Sequence[pl.Callback],
        say: Callable[[str], None],
    ) -> None:
        self.study, self.folder, self.cache = study, folder, cache
        self.watchers, self.say = watchers, say
        self.task, self.claims, self.wandb = task, Claims(folder.path, task), wandb
        self.interrupt = Interrupt(say)

    def train(self, plans: Sequence[StackPlan], recorded: Iterable[str] = ()) -> bool:
        """Train every planned run that no other task trains, and wait for those that one does.

        Parameters
        ----------
        plans
            What to train.
        recorded
            Runs that were trained before; what W&B lacks of them is sent.

        Returns
        -------
        bool
            Whether all of them ended; false: interrupted, states saved.
        """
        planned = [run for each in plans for run in each.runs]
        with self.interrupt, self.task:
            try:
                self.wandb.catch_up(self.claims, recorded)
                stopped = False
                while plans and not stopped:
                    stopped = not self._train_all(plans)
                    plans = [] if stopped else plan(self.study, self._free(planned))
                if not stopped and not self.interrupt.requested:
                    self.wandb.tell_sweep()
                self.wandb.close(lambda: self.interrupt.requested)
            finally:
                self.wandb.kill()
            ended = self.folder.ended()
            if all(run.id in ended for run in planned):
                return True
            self.task.state = INTERRUPTED
            return False

    def _train_all(self, plans: Sequence[StackPlan]) -> bool:
        """Train what others do not; return whether nothing stopped it."""
        return all(self._train_in_memory(each) and not self.interrupt.requested for each in plans)

    def _train_in_memory(self, planned: StackPlan) -> bool:
        """Train a stack, in smaller ones when it does not fit the memory."""
        size = planned.size
        while True:
            try:
                return self._train(planned.runs, size)
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                if size == 1:
                    raise MemoryError(f"out of memory with one run: {error}") from None
            # Outside the handler, whose traceback holds on to the stack that did not fit.
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self.say(f"out of memory with {size} runs at once: trying {size // 2}")
            size //= 2

    def _train(self, runs: Sequence[Run], size: int) -> bool:
        """Train the free ones of some runs; return whether all of those ended."""
        saved = Saved(self.folder.path, self.say)
        more = self._slots(runs, saved)
        slots = [slot for _, slot in zip(range(size), more, strict=False)]
        if not slots:
            return True
        stack = Stack(slots, more=more)
        writer = CheckpointWriter(self.folder.path, self.task.name, saved)
        recorder = Recorder(
            self.study, self.folder, writer, self.claims, self.interrupt, self.wandb
        )
        loggers = [] if self.wandb.mode == "off" else [self.wandb]
        trainer = make_trainer(runs[0], [*self.watchers, recorder], loggers)
        try:
            device = trainer.strategy.root_device
            routes = routes_for(self.study, self.folder, stack.first, device)
            trainer.fit(StudyModule(stack, routes), StudyData(stack, self.cache))
        except SystemExit:
            # Lightning's way out on a signal that came before the recorder took it over.
            raise StoppedAtOnce from None
        finally:
            self.wandb.leave()
            for watcher in self.watchers:
                # Lightning gives a callback these methods of the module, which would keep it.
                for name in ("log", "log_dict"):
                    vars(watcher).pop(name, None)
        self.folder.merge()
        if stack.done:
            writer.close()
            saved.discard(dict.fromkeys(self.folder.ended(), math.inf))
        return stack.done

    def _slots(self, runs: Sequence[Run], saved: Saved) -> Iterator[Progress]:
        """Claim one run after another, and take each up where it was left."""
        for run in runs:
            before = self.claims.take(run.id)
            if before is None:
                continue
            if self._recorded(run):
                self.claims.release([run.id])
            else:
                yield saved.slot(run, [self.task.name, *before])

    def _recorded(self, run: Run) -> bool:
        """Tell whether another task has recorded a run, which had let go of its claim then."""
        # Weights come before the record. A thousand tasks cannot read all new parts at each run.
        if self.study.keep_weights and not self.folder.weights(run.id).exists():
            return False
        # A file server's client may have an old list of a folder, until it changes something there.
        with contextlib.suppress(FileNotFoundError):
            file_time(self.folder.path / "runs")
        return run.id in self.folder.ended()

    def _free(self, runs: Sequence[Run]) -> list[Run]:
        """Return the runs that are left, once one of them is free; none when all have ended."""
        waits = False
        while not self.interrupt.requested:
            ended = self.folder.ended()
            left = [run for run in runs if run.id not in ended]
            holders = {run.id: self.claims.holder(run.id) for run in left}
            free = [run for run in left if holders[run.id] is None]
            if free or not left:
                return free
            if not waits:
                tasks = ", ".join(sorted({str(name) for name in holders.values()}))
                self.say(f"waiting for {len(left)} runs that other processes train (task {tasks})")
                waits = True
            time.sleep(POLL_SECONDS)
        return []


def out_of_memory(error: Exception) -> bool:
    """Tell whether an error says that memory was too small."""
    said = str(error).lower()
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(
        text in said for text in ("can't allocate memory", "out of memory", "alloc_failed")
    )


def retrain(
    run: Run, routes: Mapping[str, str]
) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]], tuple[str, str]]:
    """Train one run alone, recording nothing; return its weights, history and data hashes."""
    stack = Stack([Progress(run)])
    module, data = StudyModule(stack, routes), StudyData(stack)
    make_trainer(run, []).fit(module, data)
    weights = weights_of(module.engine.save(0))
    return weights, stack.slots[0].history, data.tensors(stack.slots[0]).hashes
