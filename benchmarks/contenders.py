"""All contenders by name; each is imported only in the process that times it."""

from __future__ import annotations

from benchmarks.common import Contender, Timing, Workload

STACKS = (1, 4, 16, 64, 256)
OURS = "study, 16 runs"
FLOOR = "floor: the products alone"


def _study(runs: int, evaluate_every: int = 0) -> Contender:
    def contender(workload: Workload, epochs: int) -> Timing:
        from benchmarks.ours import study_fit

        return study_fit(workload, epochs, runs=runs, evaluate_every=evaluate_every)

    return contender


def _dataloader(workers: int) -> Contender:
    def contender(workload: Workload, epochs: int) -> Timing:
        from benchmarks.lightning import dataloader

        return dataloader(workload, epochs, workers=workers)

    return contender


def _in_memory(workload: Workload, epochs: int) -> Timing:
    from benchmarks.lightning import in_memory

    return in_memory(workload, epochs)


def _plain(*, fused: bool, compiled: bool = False) -> Contender:
    def contender(workload: Workload, epochs: int) -> Timing:
        from benchmarks.others import plain_loop

        return plain_loop(workload, epochs, fused=fused, compiled=compiled)

    return contender


def _scikit_learn(workload: Workload, epochs: int) -> Timing:
    from benchmarks.others import scikit_learn

    return scikit_learn(workload, epochs)


def _jax(runs: int) -> Contender:
    def contender(workload: Workload, epochs: int) -> Timing:
        from benchmarks.others import jax_vmapped

        return jax_vmapped(workload, epochs, runs=runs)

    return contender


def _floor(workload: Workload, epochs: int) -> Timing:
    from benchmarks.floor import products

    return products(workload, epochs)


def _study_subsets(workload: Workload, epochs: int) -> Timing:
    from benchmarks.subsets import study_subsets

    return study_subsets(workload, epochs, trainings=1_000)


def _plain_subsets(*, fused: bool) -> Contender:
    def contender(workload: Workload, epochs: int) -> Timing:
        from benchmarks.subsets import plain_subsets

        # Every training takes equally long, so 50 are enough.
        return plain_subsets(workload, epochs, trainings=50, fused=fused)

    return contender


EPOCHS: dict[str, Contender] = {
    OURS: _study(16),
    **{f"study, {runs} run{'s' * (runs > 1)}": _study(runs) for runs in STACKS},
    f"{OURS}, evaluated every epoch": _study(16, evaluate_every=1),
    "Lightning + DataLoader, 0 workers": _dataloader(0),
    "Lightning + DataLoader, 2 workers": _dataloader(2),
    "Lightning, batches in memory": _in_memory,
    "plain PyTorch loop, Adam": _plain(fused=False),
    "plain PyTorch loop, fused Adam": _plain(fused=True),
    "plain PyTorch loop, fused Adam, compiled": _plain(fused=True, compiled=True),
    "scikit-learn MLPClassifier": _scikit_learn,
    "JAX, 1 seed": _jax(1),
    "JAX, 4 seeds": _jax(4),
    "JAX, 16 seeds": _jax(16),
    FLOOR: _floor,
}

SUBSETS: dict[str, Contender] = {
    "study, 1,000 trainings": _study_subsets,
    "plain PyTorch loop, Adam": _plain_subsets(fused=False),
    "plain PyTorch loop, fused Adam": _plain_subsets(fused=True),
}


def _first_step(workload: Workload, epochs: int) -> Timing:
    from benchmarks.startup import first_step

    return first_step(workload, epochs)


def _imports(workload: Workload, epochs: int) -> Timing:
    from benchmarks.startup import imports

    return imports(workload, epochs)


START: dict[str, Contender] = {
    "study.fit, to its first step": _first_step,
    "import torch, pytorch_lightning": _imports,
}


def _in_wandb(mode: str) -> Contender:
    def contender(workload: Workload, epochs: int) -> Timing:
        from benchmarks.live import study_in_wandb

        return study_in_wandb(workload, epochs, mode)

    return contender


WANDB: dict[str, Contender] = {
    "study, without W&B": _in_wandb("off"),
    "study, 16 runs live": _in_wandb("online"),
    "study, 16 runs offline": _in_wandb("offline"),
}


def contenders(workload: str) -> dict[str, Contender]:
    """Return a workload's contenders; the study comes first, and all are compared with it."""
    others = {"mnist5k-subsets": SUBSETS, "start-up": START, "wandb": WANDB}
    return others.get(workload, EPOCHS)
