"""What a user would pick instead: a loop, Lightning, CUDA graphs of torch.compile, and vmap."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from benchmarks.common import BATCH, RATE, accuracy, network
from benchmarks.gpu.problem import Problem, TimerThatWaits, Way, repeated
from benchmarks.lightning import Module


class PlainLoop(Way):
    """A loop over one network with torch's fused Adam; its loss may be compiled."""

    def __init__(self, problem: Problem, runs: int, *, compiled: bool = False) -> None:
        super().__init__(problem, runs)
        self.model = network(problem.workload).to(problem.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=RATE, fused=True)
        self.loss = torch.compile(self._loss, mode="reduce-overhead") if compiled else self._loss

    def _loss(self, images: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(self.model(images), labels)

    def steps(self, number: int) -> None:
        """Take steps."""
        for chosen in self.problem.chosen(number, BATCH):
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
            with self.problem.autocast():
                loss = self.loss(self.problem.images[chosen], self.problem.labels[chosen])
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            self.optimizer.step()

    def accuracy(self) -> float:
        """Return the network's test accuracy."""
        return accuracy(self.model, self.problem.test_images, self.problem.test_labels)


class Lightning(Way):
    """Lightning's tutorial, from a DataLoader on the CPU or with batches gathered on the device."""

    def __init__(self, problem: Problem, runs: int, *, dataloader: bool) -> None:
        super().__init__(problem, runs)
        self.module, self.dataloader = Module(problem.workload), dataloader

    def steps(self, number: int) -> None:
        """Take half of the steps in each of two epochs."""
        self._epochs(number // 2)

    def seconds(self, number: int) -> float:
        """Take steps in each of two epochs, and return how long those of the second took."""
        return self._epochs(number)

    def _epochs(self, number: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            times = Path(folder) / "times.json"
            trainer = pl.Trainer(
                max_epochs=2,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                callbacks=[TimerThatWaits(self.problem, str(times))],
                accelerator=self.problem.run.trainer.accelerator,
                devices=1,
                precision=self.problem.run.trainer.precision,
            )
            trainer.fit(self.module, self._loader(number))
            return float(json.loads(times.read_text())["seconds"][1])

    def _loader(self, number: int) -> Any:
        if not self.dataloader:
            return _Batches(self.problem, number)
        data = TensorDataset(self.problem.images.cpu(), self.problem.labels.cpu())
        some = RandomSampler(data, replacement=True, num_samples=number * BATCH)
        return DataLoader(data, BATCH, sampler=some, pin_memory=self.problem.device.type == "cuda")

    def accuracy(self) -> float:
        """Return the network's test accuracy."""
        model = self.module.network.to(self.problem.device)
        return accuracy(model, self.problem.test_images, self.problem.test_labels)


class _Batches:
    """So many random batches, gathered where the data lie."""

    def __init__(self, problem: Problem, number: int) -> None:
        self.problem, self.number = problem, number

    def __len__(self) -> int:
        return self.number

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for chosen in self.problem.chosen(self.number, BATCH):
            yield self.problem.images[chosen], self.problem.labels[chosen]


class Vmap(Way):
    """torch.func: a functional network's gradients, vmapped over runs, and torch's fused kernel."""

    def __init__(self, problem: Problem, runs: int, *, compiled: bool = False) -> None:
        super().__init__(problem, runs)
        model = network(problem.workload).to(problem.device)

        def loss(parameters: dict[str, Tensor], images: Tensor, labels: Tensor) -> Tensor:
            logits = torch.func.functional_call(model, parameters, (images,))
            return nn.functional.cross_entropy(logits, labels)

        self.model = model
        self.gradients: Callable[..., dict[str, Tensor]] = torch.vmap(torch.func.grad(loss))
        if compiled:
            self.gradients = torch.compile(self.gradients, mode="reduce-overhead")
        named = dict(model.named_parameters())
        self.theta = {k: repeated(v.detach().unsqueeze(0), runs) for k, v in named.items()}
        self.m = [torch.zeros_like(each) for each in self.theta.values()]
        self.v = [torch.zeros_like(each) for each in self.theta.values()]
        self.t = [torch.zeros((), device=problem.device) for _ in self.theta]
        for each in self.theta.values() if compiled else ():
            torch._dynamo.mark_static_address(each)  # a CUDA graph reads it where it lies

    def steps(self, number: int) -> None:
        """Take steps of all networks, each with its own batch."""
        for _ in range(number):
            chosen = self.problem.chosen(self.runs, BATCH)
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
            with self.problem.autocast():
                g = self.gradients(
                    self.theta, self.problem.images[chosen], self.problem.labels[chosen]
                )
            torch._foreach_add_(self.t, 1)
            torch._fused_adam_(
                list(self.theta.values()),
                [g[name] for name in self.theta],
                *(self.m, self.v, [], self.t),
                lr=RATE,
                beta1=0.9,
                beta2=0.999,
                weight_decay=0.0,
                eps=1e-8,
                amsgrad=False,
                maximize=False,
            )

    def accuracy(self) -> float:
        """Return the first network's test accuracy."""
        first = {name: each[0] for name, each in self.theta.items()}
        with torch.no_grad():
            logits = torch.func.functional_call(self.model, first, (self.problem.test_images,))
        return float((logits.argmax(-1) == self.problem.test_labels).float().mean())
