"""Sources: their sizes, and the checksum of their content."""

from __future__ import annotations

import numpy as np
import pytest

from study.data.readers import Images
from study.data.sources import SOURCES, load_images


@pytest.fixture(scope="module")
def mnist5k() -> Images:
    return load_images("mnist5k", "nowhere")


def test_features_are_pixels_times_colours() -> None:
    features = {name: source.features for name, source in SOURCES.items()}
    assert features == {
        "mnist5k": 784,
        "digits": 64,
        "mnist": 784,
        "fashion_mnist": 784,
        "kmnist": 784,
        "cifar10": 3072,
    }


def test_the_checksum_changes_with_one_pixel_one_label_and_the_split(mnist5k: Images) -> None:
    assert mnist5k.checksum() == Images(*(array.copy() for array in mnist5k)).checksum()
    changed = []
    for field in Images._fields:
        array = getattr(mnist5k, field).copy()
        array[-1] += 1
        changed.append(mnist5k._replace(**{field: array}).checksum())
    one_pixel = mnist5k.train_pixels.copy()
    one_pixel[17, 300] ^= 1
    changed.append(mnist5k._replace(train_pixels=one_pixel).checksum())
    pixels = np.concatenate([mnist5k.train_pixels, mnist5k.test_pixels])
    resplit = mnist5k._replace(train_pixels=pixels[:4001], test_pixels=pixels[4001:])
    changed.append(resplit.checksum())
    assert len({mnist5k.checksum(), *changed}) == 1 + len(changed)
