"""Seeds by images: against their definitions, limit cases, and a small study's own accuracies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from reports.figures import seed_spread
from reports.read import read
from reports.statistics import student_interval
from reports.two_way import answers, mean_squares, seed_variance, two_way_interval

FORMAT1 = Path(__file__).parents[1] / "data_folders" / "format1"
few = settings(max_examples=80, deadline=None, derandomize=True)
shapes = array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=7)
tables = arrays(bool, shapes)
differences = arrays(np.int8, shapes, elements=st.integers(-1, 1))


@few
@given(differences)
def test_mean_squares_share_out_all_squares(table: Any) -> None:
    seeds, images = table.shape
    found = mean_squares(table)
    parts = (seeds - 1) * found.seeds + (images - 1) * found.images
    parts += (seeds - 1) * (images - 1) * found.interaction
    assert parts == pytest.approx(((table - table.mean()) ** 2).sum(), abs=1e-9)
    assert mean_squares(table.T) == pytest.approx((found.images, found.seeds, found.interaction))


@few
@given(tables)
def test_the_variance_between_seeds_is_jordans(table: Any) -> None:
    number = table.shape[1]
    on_test_set = table.mean(axis=1).var(ddof=1)
    of_images = table.var(axis=0, ddof=1).sum() / number**2
    expected = number / (number - 1) * (on_test_set - of_images)
    assert seed_variance(table) == pytest.approx(expected, abs=1e-12)


def test_the_variance_between_seeds_has_no_bias() -> None:
    rng = np.random.default_rng(0)
    # Each network is right on each image by a chance of its own: their variance is 0.02.
    chances = 0.8 + np.sqrt(0.02) * rng.choice([-1, 1], (4_000, 5, 1))
    found = [seed_variance(table) for table in rng.random((4_000, 5, 30)) < chances]
    assert np.mean(found) == pytest.approx(0.02, abs=4 * np.std(found) / np.sqrt(4_000))
    # On these 30 images alone accuracies vary by a quarter more.
    observed = (rng.random((4_000, 5, 30)) < chances).mean(axis=2).var(axis=1, ddof=1)
    assert observed.mean() > 0.024


@few
@given(differences, st.sampled_from([0.9, 0.95, 0.99]))
def test_the_interval_holds_that_of_the_seeds_alone(table: Any, level: float) -> None:
    low, high = two_way_interval(table, level)
    seeds = student_interval(table.mean(axis=1), level)
    assert low <= seeds.low + 1e-9
    assert seeds.high <= high + 1e-9


def test_where_only_images_or_only_seeds_vary_the_interval_is_students() -> None:
    values = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0])
    expected = pytest.approx(student_interval(values, 0.95))
    assert two_way_interval(np.tile(values, (4, 1)), 0.95) == expected
    assert two_way_interval(np.tile(values, (4, 1)).T, 0.95) == expected
    assert two_way_interval(values[None], 0.95) == (-np.inf, np.inf)


def test_the_interval_covers_accuracy_on_all_images_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(500):
        images, seeds = rng.normal(size=(1, 400)), 0.1 * rng.normal(size=(8, 1))
        table = rng.normal(size=(8, 400)) < images + seeds
        low, high = two_way_interval(table, 0.95)
        covered += low <= 0.5 <= high
    # Of 500 at .95 fewer than 455 have a chance of 1 in 10,000; seeds alone cover about a half.
    assert covered >= 455


def test_answers_are_those_of_the_recorded_accuracies(results: Path) -> None:
    records = read([results])
    runs = list(records.runs["run"])
    expected = records.values("test_accuracy", "last")[runs]
    right = answers(records, runs)
    assert right.shape == (24, 360)
    assert right.mean(axis=1) == pytest.approx(expected.to_numpy())
    assert (answers(records, runs[::-1]) == right[::-1]).all()


def test_there_are_no_answers_unless_all_were_kept(results: Path) -> None:
    records = read([FORMAT1, results])
    old = records.runs[records.runs["data_hash"].isin(read([FORMAT1]).runs["data_hash"])]["run"]
    assert answers(records, list(old)).shape == (len(old), 0)
    assert answers(records, list(records.runs["run"])).shape[1] == 0


def test_seed_spread_is_of_each_arms_own_runs(results: Path) -> None:
    records = read([results])
    table = seed_spread.data(records)
    assert table["seeds"].tolist() == [6] * 4
    for row in table.itertuples():
        runs = records.runs[records.runs["arm"] == row.arm]["run"]
        accuracy = records.values("test_accuracy", "last")[runs]
        assert row.on_test_set == pytest.approx(accuracy.var(ddof=1))
        assert row.on_all_images == seed_variance(answers(records, list(runs)))
    assert seed_spread.data(read([FORMAT1])).empty
