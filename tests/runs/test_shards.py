"""Shares of a study are apart, together all of it, and even."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.base.errors import BadInput
from study.runs.run import Run
from study.runs.settings import Data
from study.runs.shards import Shard, from_environment, parse
from study.runs.study import Study

RUNS = Study(
    seeds=12,
    vary={"model.backward": ["jacobian", "identity"], "data.label_noise": [0, 1]},
    data=Data(dataset="digits"),
).runs


@given(runs=st.integers(1, len(RUNS)), of=st.integers(1, 60))
def test_shares_are_apart_even_and_together_everything(runs: int, of: int) -> None:
    shares = [Shard(number, of).take(RUNS[:runs]) for number in range(1, of + 1)]
    ids = [run.id for share in shares for run in share]
    assert sorted(ids) == sorted(run.id for run in RUNS[:runs])
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_a_share_is_of_as_few_programs_as_can_be_and_of_every_condition_of_those() -> None:
    share = Shard(1, 2).take(RUNS)
    assert len({run.program for run in share}) == 1
    assert {run.data.label_noise for run in Shard(1, 4).take(RUNS)} == {0.0, 1.0}


@pytest.mark.parametrize("before", [12, 40])
def test_seeds_that_are_added_go_to_all_shares(before: int) -> None:
    after = Study(seeds=before + 8, vary={"data.label_noise": [0, 1]}, data=RUNS[0].data).runs
    added = {run.id for run in after if run.seed >= before}
    shares = [Shard(number, 8).take(after) for number in range(1, 9)]
    assert {len([run for run in share if run.id in added]) for share in shares} <= {1, 2, 3}


@given(ids=st.sets(st.integers(0, 40), min_size=1, max_size=8), processes=st.integers(1, 3))
def test_whatever_numbers_an_array_has_no_run_is_left_to_nobody(
    ids: set[int], processes: int
) -> None:
    array = {
        "SLURM_ARRAY_TASK_COUNT": len(ids),
        "SLURM_ARRAY_TASK_MIN": min(ids),
        "SLURM_ARRAY_TASK_MAX": max(ids),
        "SLURM_NTASKS": processes,
    }
    shares = [
        from_environment(
            {
                **{name: str(value) for name, value in array.items()},
                "SLURM_ARRAY_TASK_ID": str(task),
                "SLURM_PROCID": str(process),
            }
        )
        for task in ids
        for process in range(processes)
    ]
    taken = {run.id for share in shares for run in share.take(RUNS)}
    assert taken == {run.id for run in RUNS}


@pytest.mark.parametrize("text", ["", "1", "0/4", "5/4", "a/b", "1/0", "-1/4", "1/4/2", " 1/4"])
def test_anything_but_k_of_n_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="--shard: expected k/n"):
        parse(text)


ARRAY = {"SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_MAX": "3"}


@pytest.mark.parametrize(
    ("environment", "shard"),
    [
        ({}, (1, 1)),
        ({**ARRAY, "SLURM_ARRAY_TASK_ID": "0"}, (1, 4)),
        ({**ARRAY, "SLURM_ARRAY_TASK_ID": "3"}, (4, 4)),
        ({"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "4"}, (4, 4)),
        (
            {
                "SLURM_ARRAY_TASK_ID": "7",  # --array=3-9:2
                "SLURM_ARRAY_TASK_COUNT": "4",
                "SLURM_ARRAY_TASK_MIN": "3",
                "SLURM_ARRAY_TASK_MAX": "9",
                "SLURM_ARRAY_TASK_STEP": "2",
            },
            (3, 4),
        ),
        ({"SLURM_PROCID": "2", "SLURM_NTASKS": "8"}, (3, 8)),
        (
            {**ARRAY, "SLURM_ARRAY_TASK_ID": "1", "SLURM_PROCID": "1", "SLURM_NTASKS": "2"},
            (4, 8),
        ),
        # a batch script that starts python itself, without srun
        ({"SLURM_JOB_ID": "5", "SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, (1, 1)),
        (
            {
                "SLURM_JOB_ID": "5",
                "SLURM_STEP_ID": "0",
                "SLURM_PROCID": "3",
                "SLURM_NTASKS": "8",
                "SLURM_STEP_NUM_TASKS": "4",
            },
            (4, 4),
        ),
        # one task of an array, submitted again
        (
            {
                "SLURM_ARRAY_TASK_ID": "2",
                "SLURM_ARRAY_TASK_COUNT": "1",
                "SLURM_ARRAY_TASK_MIN": "2",
                "SLURM_ARRAY_TASK_MAX": "2",
            },
            (1, 1),
        ),
    ],
)
def test_slurm_s_numbers_give_the_share(
    environment: dict[str, str], shard: tuple[int, int]
) -> None:
    assert from_environment(environment) == Shard(*shard)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_task_begins_with_its_share_and_goes_on_with_all_others(number: int) -> None:
    runs = [Run(seed=seed) for seed in range(10)]
    shard = Shard(number, 3)
    order = shard.order(runs)
    share = shard.take(runs)
    assert order[: len(share)] == share
    assert sorted(run.seed for run in order) == list(range(10))


def test_a_share_that_is_asked_for_is_exact() -> None:
    runs = [Run(seed=seed) for seed in range(10)]
    assert parse("2/3").order(runs) == Shard(2, 3).take(runs)


def test_tasks_that_are_through_look_for_different_runs() -> None:
    runs = [Run(seed=seed) for seed in range(40)]
    next_ones = {Shard(k, 4).order(runs)[10].seed for k in range(1, 5)}
    assert len(next_ones) == 4
