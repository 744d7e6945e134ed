"""A study: which runs it expands to, in which order, and what it refuses."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from study.base.errors import BadInput
from study.runs.run import Run
from study.runs.settings import Data, Optimizer, Trainer
from study.runs.study import MOST_RUNS, Study


def test_runs_are_the_product_of_all_lists_seed_by_seed() -> None:
    vary = {"data.label_noise": [0, 0.5, 1], "model.loss": ["cross_entropy", "squared_error"]}
    study = Study(seeds=2, vary=vary)
    found = [(run.seed, run.data.label_noise, run.model.loss) for run in study.runs]
    assert found == list(itertools.product(range(2), *vary.values()))
    assert study.arms == [
        {"data.label_noise": noise, "model.loss": loss}
        for noise, loss in itertools.product(*vary.values())
    ]
    assert len({run.id for run in study.runs}) == 12


def test_seeds_are_counted_from_0_or_listed() -> None:
    assert [run.seed for run in Study(seeds=3).runs] == [0, 1, 2]
    assert [run.seed for run in Study(seeds=[7, 0, 3]).runs] == [7, 0, 3]
    listed, counted = Study(seeds=[2, 1, 0]), Study(seeds=3)
    assert {run.id for run in listed.runs} == {run.id for run in counted.runs}


def test_a_run_does_not_know_which_study_it_is_in() -> None:
    alone = Run(seed=1, data=Data(label_noise=0.5))
    varied = Study(name="a", seeds=2, vary={"data.label_noise": [0, 0.5]}, stack=1)
    fixed = Study(name="b", seeds=[1], data=Data(label_noise=0.5), keep_weights=False)
    assert alone.id in {run.id for run in varied.runs}
    assert [run.id for run in fixed.runs] == [alone.id]


def test_all_of_the_base_reaches_every_run() -> None:
    callbacks = [{"class_path": "pytorch_lightning.callbacks.Timer"}]
    logger = [{"class_path": "pytorch_lightning.loggers.CSVLogger", "init_args": {"save_dir": "a"}}]
    trainer = Trainer(accelerator="cpu", callbacks=callbacks, logger=logger)
    study = Study(
        seeds=2,
        vary={"optimizer.momentum": [0.0, 0.5], "evaluate_every": [5, 7]},
        data=Data(root="sets"),
        optimizer=Optimizer("torch.optim.SGD", {"lr": 0.1, "momentum": 0.9}),
        trainer=trainer,
        evaluate_every=5,
    )
    for run, (seed, momentum, every) in zip(
        study.runs, itertools.product(range(2), [0.0, 0.5], [5, 7]), strict=True
    ):
        assert (run.seed, run.evaluate_every) == (seed, every)
        assert run.optimizer.init_args == {"lr": 0.1, "momentum": momentum}
        assert run.data.root == "sets"
        assert run.trainer == trainer
        assert (run.trainer.accelerator, run.trainer.callbacks, run.trainer.logger) == (
            "cpu",
            callbacks,
            logger,
        )


def test_a_runs_condition_is_what_varies() -> None:
    study = Study(vary={"model.hidden": [[8], []], "optimizer.lr": [1, 2]})
    assert [study.arm(run) for run in study.runs] == [
        {"model.hidden": [8], "optimizer.lr": 1.0},
        {"model.hidden": [8], "optimizer.lr": 2.0},
        {"model.hidden": [], "optimizer.lr": 1.0},
        {"model.hidden": [], "optimizer.lr": 2.0},
    ]


def test_torch_optimizers_can_be_compared_when_the_base_is_one() -> None:
    sgd = Optimizer("torch.optim.SGD", {"lr": 0.1})
    classes = ["torch.optim.SGD", "torch.optim.RMSprop"]
    study = Study(vary={"optimizer.class_path": classes}, optimizer=sgd)
    assert [run.optimizer.class_path for run in study.runs] == classes
    assert [dict(run.optimizer.init_args) for run in study.runs] == [{"lr": 0.1}] * 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seeds": [0, 0]}, r"^seeds: expected each seed once, found \[0, 0\]"),
        ({"seeds": True}, "^seeds: expected a number of at least 1"),
        ({"seeds": MOST_RUNS + 1}, f"^seeds: expected at most {MOST_RUNS} runs"),
        ({"vary": {"data.label_noise": []}}, "^vary.data.label_noise: .* a list of at least one"),
        ({"vary": {"data.label_noise": "01"}}, "^vary.data.label_noise: .* a list of at least one"),
        ({"vary": {"data.label_noise": [1, 1.0]}}, "^vary.data.label_noise: expected each value"),
        ({"vary": {"data.label_noise": [0, 7]}}, "^vary.data.label_noise: expected a probability"),
        ({"vary": {"data.nois": [0]}}, "^vary.data.nois: .*did you mean 'data.label_noise'"),
        ({"vary": {"seed": [0]}}, "^vary.seed: expected a run's fact but the seed"),
        ({"vary": {"data.root": ["a"]}}, "^vary.data.root: expected a run's fact"),
        ({"vary": {1: [2]}}, "^vary.1: expected dotted keys"),
        ({"vary": None}, "^vary: expected dotted keys"),
        ({"name": "a b"}, "^name: expected at most 128 letters, digits"),
        ({"out": " "}, "^out: expected a folder"),
        ({"out": "a\0b"}, "^out: expected a folder"),
    ],
)
def test_what_is_no_study_is_refused_by_its_key(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Study(**settings)


def test_a_product_that_is_too_large_is_refused_before_it_is_made() -> None:
    values = [epochs + 1 for epochs in range(1000)]
    with pytest.raises(BadInput, match="at most 100000 runs in a study, found 1000000000"):
        Study(vary={f"optimizer.{name}": values for name in ("lr", "eps", "weight_decay")})


def test_a_fault_between_a_varied_and_a_fixed_fact_names_the_key_at_fault() -> None:
    with pytest.raises(BadInput, match=r"^data.batch_size: expected at most the 50"):
        Study(vary={"data.train_examples": [500, 50]})
    with pytest.raises(BadInput, match=r"^vary.data.batch_size: expected at most the 50"):
        Study(vary={"data.batch_size": [10, 60]}, data=Data(train_examples=50, batch_size=5))
