"""What a plan says before anything is trained."""

from __future__ import annotations

import pytest

from study.runs import packing as plan
from study.runs.run import Run
from study.runs.study import Study


def test_runs_are_grouped_by_program_and_stacks_bounded() -> None:
    study = Study(seeds=3, vary={"model.hidden": [[8], [16]], "data.label_noise": [0, 1]}, stack=4)
    plans = plan.plan(study, study.runs)
    assert [len(each.runs) for each in plans] == [6, 6]
    assert [each.size for each in plans] == [4, 4]
    assert {run.model.hidden for run in plans[0].runs} == {(8,)}


def test_auto_takes_all_runs_up_to_a_bound_and_what_memory_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study = Study(seeds=100)
    assert plan.plan(study, study.runs)[0].size == plan.LARGEST_STACK
    images = 5_000 * 784 * 4
    room = 2 * (images + 3 * plan.run_bytes(study.runs[0]))
    monkeypatch.setattr(plan, "_free_bytes", lambda: room)
    assert plan.plan(study, study.runs)[0].size == 3
    monkeypatch.setattr(plan, "_free_bytes", lambda: 0)
    assert plan.plan(study, study.runs)[0].size == 1


def test_steps_count_the_last_smaller_batch() -> None:
    run = Run.of({"data.train_examples": 101, "data.batch_size": 100, "trainer.max_epochs": 3})
    assert plan.steps(run) == 2
    assert plan.StackPlan([run, run], 2).steps == 12


def test_memory_counts_images_once_for_runs_that_see_the_same() -> None:
    one, two = Run(seed=0), Run(seed=1)
    alone, both = plan.StackPlan([one], 1).bytes, plan.StackPlan([one, two], 2).bytes
    assert both - alone == plan.run_bytes(one)
    other = [Run.of({"seed": seed, "data.inputs": "gaussian"}) for seed in (0, 1)]
    images = 5_000 * 784 * 4
    assert plan.StackPlan(other, 2).bytes - both == images


def test_nothing_to_train_makes_no_plan() -> None:
    assert plan.plan(Study(), []) == []


def test_runs_are_grouped_by_program_in_the_order_they_first_appear() -> None:
    runs = Study(seeds=2, vary={"model.hidden": [[8], [4]], "data.label_noise": [0, 1]}).runs
    groups = plan.by_program(runs)
    assert [group[0].model.hidden for group in groups] == [(8,), (4,)]
    for group in groups:
        assert len({run.program for run in group}) == 1
        assert group == [run for run in runs if run.program == group[0].program]
    assert plan.by_program([]) == []
