"""Reads a file of images, images/<hash>.npy, whoever has written it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.base.errors import BadInput
from study.base.files import open_regular

MOST_BYTES = 2**30


def read_images(path: Path) -> NDArray[np.uint8]:
    """Return images, [example, feature], of which the file's header is checked by its size.

    Raises
    ------
    BadInput, OSError
        The file holds something else, or cannot be read.
    """
    with open_regular(path, MOST_BYTES) as file:
        try:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise ValueError(f"version {version}")
            shape, in_columns, kind = np.lib.format.read_array_header_1_0(file)
            content = file.read()
            if len(shape) != 2 or in_columns or kind != np.uint8:
                raise ValueError(f"{kind} of shape {shape}")
            return np.frombuffer(content, np.uint8).reshape(shape)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError) as error:
            raise BadInput(str(path), "images, [example, feature]", hint=str(error)) from None
