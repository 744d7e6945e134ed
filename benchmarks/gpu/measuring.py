"""All measurements on a GPU, within a budget of time; each is written down as soon as it is there.

They are made in a process of their own, which is ended when one takes too long or breaks CUDA, and
started again for the next.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from study.base.files import write_whole

SIZES = (1, 4, 16, 64, 256, 1024, 4096)
PRECISIONS = ("float32", "tf32", "bf16")
STACKED = ("study", "vmap")
ALONE = ("plain loop", "Lightning, batches on the device", "Lightning + DataLoader")
COMPILED = ("plain loop, compiled with CUDA graphs", "vmap, compiled with CUDA graphs")
THROUGH_LIGHTNING = "study, its whole epochs in Lightning"
NOT_REACHED = "not reached within the budget"

Answer = dict[str, Any]


@dataclass(frozen=True)
class Limits:
    """How long everything may take, in seconds, and how much is trained.

    Attributes
    ----------
    budget, each
        Of all measurements, and of one.
    block
        A block of steps takes about so long, and three are timed.
    warm_up
        Steps before that, after which the accuracy is taken.
    hidden
        Of the networks.
    """

    budget: float = 420
    each: float = 90
    block: float = 0.4
    warm_up: int = 200
    hidden: tuple[int, ...] = (256,)


class Item(NamedTuple):
    """One measurement: a check of the engine, or what a way to train costs."""

    name: str
    precision: str = "float32"
    runs: int = 1
    kind: str = "cost"


def plan(sizes: Sequence[int] = SIZES) -> list[Item]:
    """Return all measurements, the most telling first."""
    some = [size for size in (16, 256) if size in sizes] or list(sizes[-1:])
    items = [Item("where", kind="check")]
    for precision in ("float32", "float64"):
        names = ("from the reference", "from unrecorded steps", "from going on")
        items += [Item(name, precision, 3, "check") for name in names]
        items += [Item("from being alone", precision, runs, "check") for runs in (2, 16, 256)]
    items += [Item("study", precision, size) for precision in PRECISIONS for size in sizes]
    items += [Item(name, precision) for precision in PRECISIONS for name in ALONE]
    items += [Item(THROUGH_LIGHTNING, "float32", size) for size in some]
    items += [Item("vmap", precision, size) for precision in PRECISIONS for size in sizes]
    for precision in PRECISIONS:
        items += [Item(COMPILED[0], precision), Item(COMPILED[1], precision, some[-1])]
    return items


def measure_all(
    items: Sequence[Item],
    path: Path,
    device: str,
    limits: Limits,
    serve: Callable[[Connection, str, Limits], None] | None = None,
) -> Answer:
    """Make measurements one after another, and write them to a JSON file after each.

    Parameters
    ----------
    items
        What to measure.
    path
        The file; it holds every item from the start, with why it is not measured.
    device, limits
        On what, and for how long.
    serve
        What the other process does; by default `serve` of this module.
    """
    found: Answer = {"device": device, "limits": asdict(limits), "seconds": 0.0}
    found["items"] = [{**item._asdict(), "not_measured": NOT_REACHED} for item in items]
    began = time.monotonic()
    worker = Worker(serve or globals()["serve"], device, limits)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        for at, item in enumerate(items):
            left = limits.budget - (time.monotonic() - began)
            if left > 0:
                answer = worker.ask(item, min(limits.each, left))
                found["items"][at] = {**item._asdict(), **answer}
                found["seconds"] = round(time.monotonic() - began, 1)
                print(f"{found['seconds']:.0f} s:", *item, answer, flush=True)
            write_whole(path, json.dumps(found, indent=1).encode())
    finally:
        worker.end()
    return found


class Worker:
    """Another process that answers items, and is started anew after it was ended."""

    def __init__(
        self, serve: Callable[[Connection, str, Limits], None], device: str, limits: Limits
    ) -> None:
        self.serve, self.arguments = serve, (device, limits)
        self.context = multiprocessing.get_context("spawn")
        self.process: Any = None

    def ask(self, item: Item, seconds: float) -> Answer:
        """Return the answer to an item, or why there is none."""
        if self.process is None:
            self.connection, theirs = self.context.Pipe()
            self.process = self.context.Process(target=self.serve, args=(theirs, *self.arguments))
            self.process.start()
            theirs.close()
        try:
            self.connection.send(item)
            if self.connection.poll(seconds):
                answer: Answer = self.connection.recv()
                if answer.pop("broken", False):
                    self.end()
                return answer
            why = f"took longer than {seconds:.0f} s"
        except (EOFError, OSError):
            why = "its process ended"
        self.end()
        return {"not_measured": why}

    def end(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.connection.close()
            self.process = None


def serve(connection: Connection, device: str, limits: Limits) -> None:
    """Answer items until nobody asks."""
    import torch

    from study.training.trainer import quiet

    quiet()
    while True:
        try:
            item = Item(*connection.recv())
        except EOFError:
            return
        try:
            answer = check(item, device) if item.kind == "check" else cost(item, device, limits)
        except torch.OutOfMemoryError:
            answer = {"not_measured": "out of memory"}
        except Exception as error:  # whatever a library raises; the others are still measured
            why = f"{type(error).__name__}: {error}"[:300]
            answer = {"not_measured": why, "broken": True}
        connection.send(answer)
        gc.collect()
        torch._dynamo.reset()
        if device == "cuda":
            torch.cuda.empty_cache()


def check(item: Item, device: str) -> Answer:
    """Return what a check finds: where this is, or how far weights are apart."""
    from benchmarks.gpu import checks
    from study.runs.run import Run
    from study.training.engine.neighbours import neighbours_felt

    if item.name == "where":
        return checks.where(device)
    if item.name == "from being alone":
        run = Run.of({"trainer.precision": checks.EXACT[item.precision]})  # in its full size
        found = neighbours_felt(run, batched=True, device=device, runs=item.runs)
        return {"apart": found}
    if item.name == "from unrecorded steps":
        found, recorded = checks.from_unrecorded_steps(device, item.precision)
        return {"apart": found, "recorded": recorded}
    way = {
        "from the reference": checks.from_the_reference,
        "from going on": checks.from_going_on,
    }[item.name]
    return {"apart": way(device, item.precision)}


def cost(item: Item, device: str, limits: Limits) -> Answer:
    """Return the seconds a run takes for 60,000 examples, its memory, and its test accuracy."""
    import torch

    from benchmarks.common import BATCH, EXAMPLES
    from benchmarks.gpu.problem import Problem, products_in
    from benchmarks.gpu.ways import WAYS

    torch.manual_seed(0)  # every way starts from the same draws, and does so each time
    problem = Problem.load(limits.hidden, item.precision, torch.device(device))
    on_gpu = problem.device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated() if on_gpu else 0
    with products_in(item.precision):
        way = WAYS[item.name](problem, item.runs)
        way.steps(limits.warm_up)
        accuracy = way.accuracy()
        once = way.seconds(max(2, limits.warm_up // 10)) / max(2, limits.warm_up // 10)
        number = max(2, min(2_000, round(limits.block / once)))
        blocks = [way.seconds(number) / number for _ in range(3)]
    scale = EXAMPLES / BATCH / item.runs
    low, median, high = (at(blocks) * scale for at in (min, statistics.median, max))
    answer = {"seconds": median, "low": low, "high": high, "steps": number}
    if accuracy == accuracy:  # a number
        answer["accuracy"] = accuracy
    if on_gpu:
        answer["bytes"] = round((torch.cuda.max_memory_allocated() - before) / item.runs)
    return answer
