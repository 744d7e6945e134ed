"""The study's two ways: its engine alone, and whole epochs through Lightning."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch
from torch import nn

from benchmarks.common import BATCH, EXAMPLES
from benchmarks.gpu.problem import Problem, TimerThatWaits, Way, repeated
from study.nn.mlp import StackedMLP, aligned_stack
from study.runs.progress import Progress
from study.runs.run import Run
from study.training.engine import make_engine
from study.training.stack import Stack
from study.training.stack_batch import StackBatch
from study.training.stack_data import StackData
from study.training.stack_module import StackModule
from study.training.trainer import make_trainer

EPOCH = EXAMPLES // BATCH  # steps
EPOCHS = 6  # through Lightning, the first of which warms up


class StudyEngine(Way):
    """The study's batched engine: its gathering of batches, gradients, updates and sums."""

    def __init__(self, problem: Problem, runs: int) -> None:
        super().__init__(problem, runs)
        stacked = StackedMLP(1, problem.workload.widths).to(problem.device)
        stacked.runs = runs
        for parameters in (stacked.weights, stacked.biases):
            for at, one in enumerate(parameters):
                # Drawing thousands of networks takes longer than what is timed: all begin alike.
                parameters[at] = nn.Parameter(repeated(one, runs))
        self.engine = make_engine(stacked, [problem.run] * runs, batched=True)
        images = problem.images
        self.buffers = aligned_stack(runs, (BATCH, images.shape[1]), images)
        order = problem.chosen(runs, EXAMPLES)
        labels = problem.labels[order]
        self.epoch = {slot: (images, order[slot], labels[slot], 0) for slot in range(runs)}

    def steps(self, number: int) -> None:
        """Take steps as the study's module does, an epoch at a time."""
        for start in range(0, number, EPOCH):
            part = slice(0, min(EPOCH, number - start) * BATCH)
            with self.problem.autocast():
                self.engine.steps(StackBatch(self.epoch, self.buffers, part), range(self.runs))

    def accuracy(self) -> float:
        """Return the first network's test accuracy."""
        with torch.no_grad():
            logits = self.engine.logits(0, self.problem.test_images)
        return float((logits.argmax(-1) == self.problem.test_labels).float().mean())


class StudyInLightning(Way):
    """The study's own path: StackModule and StackData in its Trainer, not evaluated meanwhile."""

    def __init__(self, problem: Problem, runs: int) -> None:
        super().__init__(problem, runs)
        self.took: list[float] = []

    def steps(self, number: int) -> None:
        """Do nothing, as every timing has a first epoch that warms up."""

    def seconds(self, number: int) -> float:
        """Return how long so many steps took of an epoch: several are trained the first time."""
        if not self.took:
            self.took = self._epochs()
        return self.took.pop() * number / -(-len(self.problem.labels) // BATCH)

    def _epochs(self) -> list[float]:
        facts = self.problem.run.facts()
        facts |= {"trainer.max_epochs": EPOCHS, "evaluate_every": EPOCHS}
        slots = [Progress(Run.of({**facts, "seed": seed})) for seed in range(self.runs)]
        accelerator = {"trainer.accelerator": self.problem.run.trainer.accelerator}
        with tempfile.TemporaryDirectory() as folder:
            times = Path(folder) / "times.json"
            run = slots[0].run.with_settings(accelerator)
            stack = Stack(slots)
            trainer = make_trainer(run, [TimerThatWaits(self.problem, str(times))])
            trainer.fit(StackModule(stack), StackData(stack))
            took: list[float] = json.loads(times.read_text())["seconds"]
        return took[1:]

    def accuracy(self) -> float:
        """Return no number: whole epochs are more steps than the others take."""
        return float("nan")
