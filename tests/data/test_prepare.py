"""A run's arrays: noise on training labels alone, shared images, and hashes of what it saw."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from study.data.prepare import DataCache, RunData, image_key
from study.runs.run import Run
from study.runs.settings import Data

CACHE = DataCache()


def run(seed: int = 0, **data: Any) -> Run:
    return Run(seed=seed, data=Data(dataset="digits", batch_size=10, **data))


def prepared(seed: int = 0, **data: Any) -> RunData:
    return CACHE.prepare(run(seed, **data))


def test_by_default_all_true_labels_and_all_images_are_there() -> None:
    data = prepared()
    images, checksum = CACHE.source(run().data)
    assert data.examples.tolist() == list(range(1437))
    for found in (data.labels, data.true_labels):
        assert np.array_equal(found, images.train_labels)
    for found in (data.test_labels, data.test_noisy_labels):
        assert np.array_equal(found, images.test_labels)
    assert not data.redrawn.any()
    assert data.data_hash == checksum == images.checksum()


def test_label_noise_is_on_the_training_labels_and_never_on_the_test_labels() -> None:
    clean, noisy = prepared(), prepared(label_noise=1.0)
    assert np.array_equal(noisy.test_labels, clean.test_labels)
    assert np.array_equal(noisy.true_labels, clean.labels)
    assert noisy.redrawn.all()
    # A tenth of random labels are right, give or take 0.008 in training and 0.016 in test.
    assert abs((noisy.labels == noisy.true_labels).mean() - 0.1) < 0.04
    assert abs((noisy.test_noisy_labels == noisy.test_labels).mean() - 0.1) < 0.08
    assert not np.array_equal(noisy.test_noisy_labels, noisy.labels[:360])  # drawn on their own


def test_labels_redrawn_say_so() -> None:
    data = prepared(label_noise=0.3)
    assert np.array_equal(data.labels[~data.redrawn], data.true_labels[~data.redrawn])
    assert 0.2 < data.redrawn.mean() < 0.4


def test_permuted_labels_keep_the_count_of_every_class_in_train_and_test() -> None:
    data = prepared(label_noise=1.0, label_scheme="permuted")
    assert np.array_equal(np.bincount(data.labels), np.bincount(data.true_labels))
    assert np.array_equal(np.bincount(data.test_noisy_labels), np.bincount(data.test_labels))
    assert not np.array_equal(data.labels, data.true_labels)


def test_a_subset_has_the_labels_and_noise_that_its_examples_have_in_the_whole() -> None:
    whole, part = prepared(label_noise=0.5), prepared(label_noise=0.5, train_examples=100)
    smaller = prepared(label_noise=0.5, train_examples=40)
    assert len(part.examples) == len(part.labels) == len(part.redrawn) == 100
    assert set(smaller.examples.tolist()) <= set(part.examples.tolist())
    for name in ("labels", "true_labels", "redrawn"):
        assert np.array_equal(getattr(part, name), getattr(whole, name)[part.examples])
    assert part.train_images is whole.train_images  # images are shared, the rest chosen


@pytest.mark.parametrize("scheme", ["uniform", "permuted"])
def test_validation_examples_are_apart_and_have_the_labels_that_the_whole_has(scheme: str) -> None:
    noise: dict[str, Any] = {"label_noise": 0.5, "label_scheme": scheme}
    whole = prepared(**noise)
    data = prepared(**noise, validation_examples=300)
    assert (len(data.examples), len(data.validation_examples)) == (1137, 300)
    assert not set(data.examples) & set(data.validation_examples)
    for part, labels, true in (
        (data.examples, data.labels, data.true_labels),
        (data.validation_examples, data.validation_noisy_labels, data.validation_labels),
    ):
        assert np.array_equal(labels, whole.labels[part])
        assert np.array_equal(true, whole.true_labels[part])
        # A tenth of the redrawn half is right by chance: .55, give or take .029 of 300.
        assert abs((labels == true).mean() - 0.55) < 5 * 0.029
    assert whole.validation_examples.size == whole.validation_noisy_labels.size == 0
    assert data.train_images is whole.train_images
    assert np.array_equal(prepared(**noise, validation_examples=40).test_labels, data.test_labels)


def test_images_are_standardised_by_the_training_set_in_train_and_test() -> None:
    raw, shown = prepared(normalize="none"), prepared(normalize="dataset")
    assert raw.train_images.min() == 0
    assert raw.train_images.max() == 1  # the brightest pixel, 16 in this data set
    # Means of 92,000 float32 numbers.
    assert abs(shown.train_images.mean(dtype=np.float64)) < 1e-6
    assert abs(shown.train_images.std(dtype=np.float64) - 1) < 1e-6
    mean, deviation = raw.train_images.mean(), raw.train_images.std()
    expected = (raw.test_images - mean) / deviation
    np.testing.assert_allclose(shown.test_images, expected, rtol=0, atol=1e-5)
    assert abs(shown.test_images.mean()) > 1e-3  # so it was not standardised by itself


@pytest.mark.parametrize("normalize", ["none", "dataset", "image"])
@pytest.mark.parametrize("inputs", ["original", "shuffled_pixels", "random_pixels", "gaussian"])
def test_images_are_float32_and_finite_under_every_condition(inputs: str, normalize: str) -> None:
    data = prepared(inputs=inputs, normalize=normalize)
    for shown, n in ((data.train_images, 1437), (data.test_images, 360)):
        assert shown.shape == (n, 64)
        assert shown.dtype == np.float32
        assert np.isfinite(shown).all()
        assert shown.flags.c_contiguous


def test_shuffled_pixels_are_shuffled_alike_in_train_and_test() -> None:
    raw = prepared(normalize="none")
    shown = prepared(normalize="none", inputs="shuffled_pixels")
    # Which original column each shown one is; those that are 0 throughout cannot be told apart.
    columns = raw.train_images.T
    order = {
        shown_at: next(i for i in range(64) if np.array_equal(column, columns[i]))
        for shown_at, column in enumerate(shown.train_images.T)
        if column.any()
    }
    assert len(order) > 50
    assert list(order) != list(order.values())
    for shown_at, original in order.items():
        assert np.array_equal(shown.test_images[:, shown_at], raw.test_images[:, original])
    assert np.array_equal(np.sort(shown.test_images, axis=1), np.sort(raw.test_images, axis=1))


def test_random_pixels_keep_each_images_pixels_in_train_and_test() -> None:
    raw, shown = prepared(normalize="none"), prepared(normalize="none", inputs="random_pixels")
    for name in ("train_images", "test_images"):
        before, after = getattr(raw, name), getattr(shown, name)
        assert np.array_equal(np.sort(after, axis=1), np.sort(before, axis=1))
        assert not np.array_equal(after, before)


def test_gaussian_images_have_the_training_sets_mean_and_deviation() -> None:
    raw, shown = prepared(normalize="none"), prepared(normalize="none", inputs="gaussian")
    for images in (shown.train_images, shown.test_images):
        # Five standard errors of 23,000 draws with a deviation of 0.38.
        assert abs(images.mean() - raw.train_images.mean()) < 5 * 0.38 / 23_000**0.5
        assert abs(images.std() - raw.train_images.std()) < 5 * 0.38 / 46_000**0.5
    assert not np.array_equal(shown.train_images[:360], shown.test_images)


def test_runs_that_see_the_same_images_share_them() -> None:
    first = prepared(0)
    assert prepared(1).train_images is first.train_images
    assert prepared(0, label_noise=1.0).test_images is first.test_images
    assert prepared(0, inputs="gaussian").train_images is not first.train_images
    assert image_key(run(0)) == image_key(run(1))
    assert image_key(run(0, inputs="gaussian")) != image_key(run(1, inputs="gaussian"))
    assert image_key(run(0, normalize="none")) != image_key(run(0))
    gaussian = [prepared(seed, inputs="gaussian").train_images for seed in (0, 1)]
    assert not np.array_equal(*gaussian)


def test_images_that_no_run_needs_are_forgotten() -> None:
    cache = DataCache()
    kept, gone = run(0), run(0, inputs="gaussian")
    before = {each.id: cache.prepare(each).train_images for each in (kept, gone)}
    cache.keep_only([kept])
    assert cache.prepare(kept).train_images is before[kept.id]
    again = cache.prepare(gone).train_images
    assert again is not before[gone.id]
    assert np.array_equal(again, before[gone.id])


def test_a_run_has_the_same_data_whatever_was_prepared_before() -> None:
    facts = {"label_noise": 0.5, "inputs": "random_pixels", "train_examples": 50}
    first = DataCache().prepare(run(3, **facts))
    busy = DataCache()
    for seed in range(3):
        busy.prepare(run(seed, **facts))
    again = busy.prepare(run(3, **facts))
    for name in ("train_images", "test_images", "examples", "labels", "redrawn"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert (first.data_hash, first.labels_hash) == (again.data_hash, again.labels_hash)


def test_hashes_tell_apart_what_was_trained_on() -> None:
    hashes = [
        prepared(seed, **facts).labels_hash
        for seed in (0, 1)
        for facts in (
            {"label_noise": 0.5},
            {"label_noise": 0.6},
            {"label_noise": 0.5, "label_scheme": "permuted"},
            {"label_noise": 0.5, "train_examples": 100},
            {"train_examples": 100},
        )
    ]
    assert len(set(hashes)) == len(hashes)
    assert prepared(0).labels_hash == prepared(1).labels_hash  # true labels, all examples
    assert prepared(0).data_hash == prepared(1, inputs="gaussian").data_hash
    other = CACHE.source(Data(dataset="mnist5k"))[1]
    assert other != prepared(0).data_hash


def test_a_source_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from study.data import prepare

    calls = []
    load = prepare.load_images
    monkeypatch.setattr(prepare, "load_images", lambda *a: (calls.append(a), load(*a))[1])
    cache = DataCache()
    for seed in range(3):
        cache.prepare(run(seed))
    assert calls == [("digits", "data")]
